import type { MessagePort } from 'node:worker_threads';
import { unavailable } from '../errors.ts';
import { fromStatus, toStatus, type WireStatus } from './status.ts';
import type { CallFacts, Handler, MethodName, Wire } from './wire.ts';

/** Calls in both directions over one message port: the same bytes as over gRPC, without its frames. */
export function overPort(port: MessagePort, handler: Handler): Wire {
  return new PortWire(port, handler);
}

type Message =
  | {
      readonly type: 'call';
      readonly id: number;
      readonly name: MethodName;
      readonly driver: string;
      readonly operationId: string;
      readonly request?: Uint8Array;
    }
  /** Of a call in a stream: `to` says which side's calls are numbered so. */
  | { readonly type: 'item'; readonly to: 'caller' | 'called'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'more'; readonly to: 'caller' | 'called'; readonly id: number }
  | { readonly type: 'end'; readonly to: 'caller' | 'called'; readonly id: number; readonly status?: WireStatus }
  | { readonly type: 'cancel'; readonly id: number };

/** Items that may be on their way before the other side asks for more. */
const window = 16;

interface Pending {
  readonly settle: (outcome: { readonly bytes?: Uint8Array; readonly error?: unknown }) => void;
}
interface Flow {
  readonly inbox: Inbox;
  credit: number;
  onCredit: (() => void) | undefined;
}

class PortWire implements Wire {
  readonly #port: MessagePort;
  readonly #handler: Handler;
  readonly #unary = new Map<number, Pending>();
  readonly #outgoing = new Map<number, Flow>();
  readonly #incoming = new Map<number, Flow & { readonly abort: AbortController }>();
  #next = 0;
  #isClosed = false;

  constructor(port: MessagePort, handler: Handler) {
    this.#port = port;
    this.#handler = handler;
    port.on('message', (message: Message) => this.#receive(message));
    port.on('close', () => this.#lost());
  }

  unary(name: MethodName, request: Uint8Array, { driver, operationId, signal }: CallFacts): Promise<Uint8Array> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#isClosed) return Promise.reject(gone());
    const id = (this.#next += 1);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#unary.delete(id);
        this.#post({ type: 'cancel', id });
        reject(signal.reason);
      };
      this.#unary.set(id, {
        settle: ({ bytes, error }) => {
          signal.removeEventListener('abort', onAbort);
          if (bytes === undefined) reject(error);
          else resolve(bytes);
        },
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#post({ type: 'call', id, name, driver, operationId, request });
    });
  }

  async *stream(
    name: MethodName,
    requests: AsyncIterable<Uint8Array>,
    { driver, operationId, signal }: CallFacts,
  ): AsyncIterable<Uint8Array> {
    signal.throwIfAborted();
    if (this.#isClosed) throw gone();
    const id = (this.#next += 1);
    const flow: Flow = { inbox: new Inbox(), credit: window, onCredit: undefined };
    const onAbort = (): void => flow.inbox.end(signal.reason);
    this.#outgoing.set(id, flow);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#post({ type: 'call', id, name, driver, operationId });
    void this.#send('called', id, requests, flow, (error) => flow.inbox.end(error));
    try {
      yield* this.#items('called', id, flow);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#outgoing.delete(id);
      flow.onCredit?.();
      this.#post({ type: 'cancel', id });
    }
  }

  close(): void {
    this.#port.close();
    this.#lost();
  }

  #receive(message: Message): void {
    switch (message.type) {
      case 'call':
        if (message.request === undefined) this.#serveStream(message);
        else void this.#serveUnary(message, message.request);
        return;
      case 'cancel':
        this.#incoming.get(message.id)?.abort.abort(new DOMException('the caller went away', 'AbortError'));
        return;
      case 'item': {
        const pending = message.to === 'caller' ? this.#unary.get(message.id) : undefined;
        if (pending === undefined) this.#flow(message)?.inbox.push(message.bytes);
        else {
          this.#unary.delete(message.id);
          pending.settle({ bytes: message.bytes });
        }
        return;
      }
      case 'more': {
        const flow = this.#flow(message);
        if (flow === undefined) return;
        flow.credit += 1;
        flow.onCredit?.();
        return;
      }
      case 'end': {
        const error = message.status === undefined ? undefined : fromStatus(message.status);
        const pending = message.to === 'caller' ? this.#unary.get(message.id) : undefined;
        if (pending === undefined) this.#flow(message)?.inbox.end(error);
        else {
          this.#unary.delete(message.id);
          pending.settle({ error });
        }
      }
    }
  }

  /** `to: 'caller'` speaks of a call that we made. */
  #flow({ to, id }: { readonly to: 'caller' | 'called'; readonly id: number }): Flow | undefined {
    return to === 'caller' ? this.#outgoing.get(id) : this.#incoming.get(id);
  }

  async #serveUnary({ id, name, driver, operationId }: Message & { readonly type: 'call' }, request: Uint8Array): Promise<void> {
    const abort = new AbortController();
    this.#incoming.set(id, { abort, inbox: new Inbox(), credit: 0, onCredit: undefined });
    try {
      const bytes = await this.#handler.unary(name, request, { driver, operationId, signal: abort.signal });
      this.#post({ type: 'item', to: 'caller', id, bytes });
    } catch (error) {
      this.#post({ type: 'end', to: 'caller', id, status: toStatus(error) });
    } finally {
      this.#incoming.delete(id);
    }
  }

  #serveStream({ id, name, driver, operationId }: Message & { readonly type: 'call' }): void {
    const abort = new AbortController();
    const flow = { abort, inbox: new Inbox(), credit: window, onCredit: undefined };
    this.#incoming.set(id, flow);
    abort.signal.addEventListener('abort', () => flow.inbox.end(abort.signal.reason), { once: true });
    const answers = this.#handler.stream(name, this.#items('caller', id, flow), { driver, operationId, signal: abort.signal });
    void this.#send('caller', id, answers, flow, () => {}).finally(() => this.#incoming.delete(id));
  }

  /** What the other side sent, each taken item making room for one more. */
  async *#items(from: 'caller' | 'called', id: number, { inbox }: Flow): AsyncIterable<Uint8Array> {
    for await (const bytes of inbox) {
      yield bytes;
      this.#post({ type: 'more', to: from, id });
    }
  }

  async #send(
    to: 'caller' | 'called',
    id: number,
    items: AsyncIterable<Uint8Array>,
    flow: Flow,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const isOpen = (): boolean => !this.#isClosed && this.#flow({ to: to === 'called' ? 'caller' : 'called', id }) === flow;
    try {
      for await (const bytes of items) {
        while (flow.credit <= 0 && isOpen()) await new Promise<void>((resolve) => (flow.onCredit = resolve));
        if (!isOpen()) return;
        flow.credit -= 1;
        this.#post({ type: 'item', to, id, bytes });
      }
      this.#post({ type: 'end', to, id });
    } catch (error) {
      onFailure(error);
      this.#post({ type: 'end', to, id, status: toStatus(error) });
    }
  }

  #post(message: Message): void {
    if (!this.#isClosed) this.#port.postMessage(message);
  }

  #lost(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { settle } of this.#unary.values()) settle({ error: gone() });
    this.#unary.clear();
    for (const { inbox, onCredit } of this.#outgoing.values()) {
      inbox.end(gone());
      onCredit?.();
    }
    for (const { abort, onCredit } of this.#incoming.values()) {
      abort.abort(new DOMException('the caller went away', 'AbortError'));
      onCredit?.();
    }
  }
}

const gone = (): Error => unavailable('the connection broke: the worker has ended', { reason: 'CONNECTION_LOST' });

/** Items until the end, one reader. */
class Inbox implements AsyncIterable<Uint8Array> {
  readonly #items: Uint8Array[] = [];
  #ended: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(bytes: Uint8Array): void {
    this.#items.push(bytes);
    this.#wake?.();
  }

  end(error?: unknown): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended !== undefined) {
        if (this.#ended.error === undefined) return;
        // An abort's reason is whatever the caller gave.
        throw this.#ended.error as Error;
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
