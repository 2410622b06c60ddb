import { exhausted, unavailable } from '../errors.ts';
import type { CallFrame, Failure, Frame } from './generated-plugin.ts';
import { fromStatus, toStatus } from './status.ts';
import { type CallFacts, type Handler, maxMessageBytes, type MethodName, type Wire } from './wire.ts';

/** What carries frames, in order and both ways. */
export interface FrameChannel {
  listen(listener: { readonly onFrame: (frame: Frame) => void; readonly onClose: () => void }): void;
  post(frame: Frame): void;
  close(): void;
}

/** Calls in both directions, as frames over one channel. */
export function overFrames(channel: FrameChannel, handler: Handler): Wire {
  return new FrameWire(channel, handler);
}

function toFailure(error: unknown): Failure {
  const { code, message, details } = toStatus(error);
  return { code, message, details: asBuffer(details ?? new Uint8Array()) };
}

/** A frame that is too long would end the channel, and all calls with it. */
function sized(bytes: Uint8Array): Buffer {
  if (bytes.length > maxMessageBytes - 1024)
    throw exhausted(`a message of ${bytes.length} bytes is too long; at most ${maxMessageBytes - 1024} fit`, {
      reason: 'MESSAGE_TOO_LONG',
    });
  return asBuffer(bytes);
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

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

class FrameWire implements Wire {
  readonly #channel: FrameChannel;
  readonly #handler: Handler;
  readonly #unary = new Map<number, Pending>();
  readonly #outgoing = new Map<number, Flow>();
  readonly #incoming = new Map<number, Flow & { readonly abort: AbortController }>();
  #next = 0;
  #isClosed = false;

  constructor(channel: FrameChannel, handler: Handler) {
    this.#channel = channel;
    this.#handler = handler;
    channel.listen({ onFrame: (frame) => this.#receive(frame), onClose: () => this.#lost() });
  }

  async unary(name: MethodName, given: Uint8Array, { driver, operationId, signal }: CallFacts): Promise<Uint8Array> {
    signal.throwIfAborted();
    if (this.#isClosed) throw gone();
    const request = sized(given);
    const id = (this.#next += 1);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#unary.delete(id);
        this.#post({ kind: 'cancel', id });
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
      this.#post({ kind: 'call', id, ...name, driver, operationId, request });
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
    this.#post({ kind: 'call', id, ...name, driver, operationId });
    void this.#send('called', id, requests, flow, (error) => flow.inbox.end(error));
    try {
      yield* this.#items('called', id, flow);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#outgoing.delete(id);
      flow.onCredit?.();
      this.#post({ kind: 'cancel', id });
    }
  }

  close(): void {
    this.#channel.close();
    this.#lost();
  }

  #receive(message: Frame): void {
    switch (message.kind) {
      case 'call':
        if (message.request === undefined) this.#serveStream(message);
        else void this.#serveUnary(message, message.request);
        return;
      case 'cancel':
        this.#incoming.get(message.id)?.abort.abort(new DOMException('the caller went away', 'AbortError'));
        return;
      case 'item': {
        const pending = message.toCaller ? this.#unary.get(message.id) : undefined;
        if (pending === undefined) this.#flow(message)?.inbox.push(message.payload);
        else {
          this.#unary.delete(message.id);
          pending.settle({ bytes: message.payload });
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
        const error = message.failure === undefined ? undefined : fromStatus(message.failure);
        const pending = message.toCaller ? this.#unary.get(message.id) : undefined;
        if (pending === undefined) this.#flow(message)?.inbox.end(error);
        else {
          this.#unary.delete(message.id);
          pending.settle({ error });
        }
      }
    }
  }

  /** `toCaller` speaks of a call that we made. */
  #flow({ toCaller, id }: { readonly toCaller: boolean; readonly id: number }): Flow | undefined {
    return toCaller ? this.#outgoing.get(id) : this.#incoming.get(id);
  }

  async #serveUnary({ id, driver, operationId, service, method }: CallFrame, request: Uint8Array): Promise<void> {
    const name = { service, method };
    const abort = new AbortController();
    this.#incoming.set(id, { abort, inbox: new Inbox(), credit: 0, onCredit: undefined });
    try {
      const bytes = await this.#handler.unary(name, request, { driver, operationId, signal: abort.signal });
      this.#post({ kind: 'item', toCaller: true, id, payload: sized(bytes) });
    } catch (error) {
      this.#post({ kind: 'end', toCaller: true, id, failure: toFailure(error) });
    } finally {
      this.#incoming.delete(id);
    }
  }

  #serveStream({ id, driver, operationId, service, method }: CallFrame): void {
    const name = { service, method };
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
      this.#post({ kind: 'more', toCaller: from === 'caller', id });
    }
  }

  async #send(
    to: 'caller' | 'called',
    id: number,
    items: AsyncIterable<Uint8Array>,
    flow: Flow,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const isOpen = (): boolean => !this.#isClosed && this.#flow({ toCaller: to === 'called', id }) === flow;
    try {
      for await (const bytes of items) {
        while (flow.credit <= 0 && isOpen()) await new Promise<void>((resolve) => (flow.onCredit = resolve));
        if (!isOpen()) return;
        flow.credit -= 1;
        this.#post({ kind: 'item', toCaller: to === 'caller', id, payload: sized(bytes) });
      }
      this.#post({ kind: 'end', toCaller: to === 'caller', id });
    } catch (error) {
      onFailure(error);
      this.#post({ kind: 'end', toCaller: to === 'caller', id, failure: toFailure(error) });
    }
  }

  #post(message: Frame): void {
    if (!this.#isClosed) this.#channel.post(message);
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

const gone = (): Error => unavailable('the connection broke', { reason: 'CONNECTION_LOST' });

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
