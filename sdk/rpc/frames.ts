import { exhausted, messageOf, unavailable } from '../errors.ts';
import type { CallFrame, Failure, Frame } from './generated-plugin.ts';
import { bunch, inBunches, oneByOne, type Post } from './bunches.ts';
import { Inbox } from './inbox.ts';
import { fromStatus, toStatus } from './status.ts';
import { type CallFacts, type Handler, maxMessageBytes, type MethodName, type Wire } from './wire.ts';

/** What carries frames, in order and both ways. */
export interface FrameChannel {
  listen(listener: { readonly onFrame: (frame: Frame) => void; readonly onClose: (why?: unknown) => void }): void;
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

/** Items that may be on their way before the other side asks for more: one by one as ever, and in bunches with who knows them. */
const window = 16;
const bunchedWindow = 64;

interface Pending {
  readonly settle: (outcome: { readonly bytes?: Uint8Array; readonly error?: unknown }) => void;
}
interface Flow {
  readonly inbox: Inbox;
  credit: number;
  onCredit: (() => void) | undefined;
  /** The other side sends several items at once, and is told of room for several. */
  isBunched?: boolean;
}

class FrameWire implements Wire {
  readonly #channel: FrameChannel;
  readonly #handler: Handler;
  readonly #unary = new Map<number, Pending>();
  readonly #outgoing = new Map<number, Flow>();
  readonly #incoming = new Map<number, Flow & { readonly abort: AbortController }>();
  #next = 0;
  #isClosed = false;
  /** What ended it, where that is known. */
  #why: unknown;

  constructor(channel: FrameChannel, handler: Handler) {
    this.#channel = channel;
    this.#handler = handler;
    channel.listen({ onFrame: (frame) => this.#receive(frame), onClose: (why) => this.#lost(why) });
  }

  async unary(name: MethodName, given: Uint8Array, { driver, operationId, signal }: CallFacts): Promise<Uint8Array> {
    signal.throwIfAborted();
    if (this.#isClosed) throw gone(this.#why);
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
    if (this.#isClosed) throw gone(this.#why);
    const id = (this.#next += 1);
    const flow: Flow = { inbox: new Inbox(), credit: window, onCredit: undefined };
    const onAbort = (): void => flow.inbox.end(signal.reason);
    this.#outgoing.set(id, flow);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#post({ kind: 'call', id, ...name, driver, operationId, window: bunchedWindow });
    const post = oneByOne((payload) => this.#post({ kind: 'item', toCaller: false, id, payload }));
    void this.#send('called', id, { items: requests, flow, post }, (error) => flow.inbox.end(error));
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
      case 'items': {
        const flow = this.#flow(message);
        if (flow === undefined) return;
        flow.isBunched = true;
        for (const payload of message.payloads) flow.inbox.push(payload);
        return;
      }
      case 'more': {
        const flow = this.#flow(message);
        if (flow === undefined) return;
        flow.credit += Math.min(message.count ?? 1, bunchedWindow);
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

  #serveStream({ id, driver, operationId, service, method, window: wanted }: CallFrame): void {
    const name = { service, method };
    const abort = new AbortController();
    const flow = { abort, inbox: new Inbox(), credit: Math.min(wanted ?? window, bunchedWindow), onCredit: undefined };
    this.#incoming.set(id, flow);
    abort.signal.addEventListener('abort', () => flow.inbox.end(abort.signal.reason), { once: true });
    const answers = this.#handler.stream(name, this.#items('caller', id, flow), { driver, operationId, signal: abort.signal });
    const post =
      wanted === undefined
        ? oneByOne((payload) => this.#post({ kind: 'item', toCaller: true, id, payload }))
        : inBunches((payloads) => this.#post({ kind: 'items', toCaller: true, id, payloads }));
    void this.#send('caller', id, { items: answers, flow, post }, () => {}).finally(() => this.#incoming.delete(id));
  }

  /** What the other side sent, each taken item making room for one more. */
  async *#items(from: 'caller' | 'called', id: number, flow: Flow): AsyncIterable<Uint8Array> {
    let taken = 0;
    for await (const bytes of flow.inbox) {
      yield bytes;
      taken += 1;
      if (flow.isBunched === true && taken < bunch && !flow.inbox.isEmpty) continue;
      this.#post({ kind: 'more', toCaller: from === 'caller', id, ...(taken > 1 ? { count: taken } : {}) });
      taken = 0;
    }
  }

  async #send(
    to: 'caller' | 'called',
    id: number,
    { items, flow, post }: { readonly items: AsyncIterable<Uint8Array>; readonly flow: Flow; readonly post: Post },
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const isOpen = (): boolean => !this.#isClosed && this.#flow({ toCaller: to === 'called', id }) === flow;
    try {
      for await (const bytes of items) {
        while (flow.credit <= 0 && isOpen()) {
          post.flush();
          await new Promise<void>((resolve) => (flow.onCredit = resolve));
        }
        if (!isOpen()) return;
        flow.credit -= 1;
        post.item(sized(bytes));
      }
      post.flush();
      this.#post({ kind: 'end', toCaller: to === 'caller', id });
    } catch (error) {
      post.flush();
      onFailure(error);
      this.#post({ kind: 'end', toCaller: to === 'caller', id, failure: toFailure(error) });
    }
  }

  #post(message: Frame): void {
    if (!this.#isClosed) this.#channel.post(message);
  }

  #lost(why?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#why = why;
    for (const { settle } of this.#unary.values()) settle({ error: gone(why) });
    this.#unary.clear();
    for (const { inbox, onCredit } of this.#outgoing.values()) {
      inbox.end(gone(why));
      onCredit?.();
    }
    for (const { abort, onCredit } of this.#incoming.values()) {
      abort.abort(new DOMException('the caller went away', 'AbortError'));
      onCredit?.();
    }
  }
}

function gone(why: unknown): Error {
  const reason = why === undefined ? '' : `: ${messageOf(why).replace(/^the connection broke: /, '')}`;
  return unavailable(`the connection broke${reason}`, { cause: why, reason: 'CONNECTION_LOST' });
}
