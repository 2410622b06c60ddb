import type { IncomingMessage } from 'node:http';
import { GantryError, internal, notImplemented, unavailable } from '@gantry/sdk';
import { type Address, describe, identityOf } from './address.ts';
import { type Answer, field, isObject } from './answer.ts';
import { refusal } from './refusals.ts';
import type { Scope } from './settings.ts';
import { plainText, Transport } from './transport.ts';

interface Session {
  readonly identity: string;
  readonly transport: Transport;
  readonly services: Promise<ReadonlySet<string>>;
}

/** Shaking hands is quick, or the plugin does not work. */
const activateMs = 2_000;
/** A stream takes as long as it takes, its beginning does not. */
const headMs = 30_000;
/** Docker waits two minutes for these and one for others. */
const slow = new Set(['VolumeDriver.Create', 'VolumeDriver.Mount', 'NetworkDriver.CreateNetwork', 'NetworkDriver.CreateEndpoint']);

/** One plugin by its name: shakes hands (`/Plugin.Activate`) once with each start of it, then calls its methods. */
export class Connection implements Disposable {
  readonly name: string;
  readonly address: Address;
  #session: Session | undefined;

  constructor(name: string, address: Address) {
    this.name = name;
    this.address = address;
  }

  get scopes(): readonly Scope[] {
    return this.address.kind === 'unix' ? this.address.scopes : [];
  }

  /** Changes when the plugin was started again; undefined: it is not there. */
  get identity(): string | undefined {
    return identityOf(this.address);
  }

  /** What the plugin implements. `unavailable` when it is not there; asked again only after it was started anew, or after a failure. */
  services(): Promise<ReadonlySet<string>> {
    return this.#open().services;
  }

  /** The answer to one call. What the plugin refuses is an error by its words; a method that it does not have is `not_implemented`. */
  async call(method: string, body: Answer, signal: AbortSignal): Promise<Answer> {
    const { transport, services } = this.#open();
    await abortable(services, signal);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(slow.has(method) ? 120_000 : 60_000)]);
    const { status, body: bytes } = await transport.post(method, JSON.stringify(body), bounded);
    return this.#read(method, status, bytes);
  }

  /** A call that answers with a stream of bytes. */
  async stream(method: string, body: Answer, signal: AbortSignal): Promise<IncomingMessage> {
    const { transport, services } = this.#open();
    await abortable(services, signal);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new DOMException(`${method} did not begin to answer`, 'TimeoutError')), headMs);
    const bounded = AbortSignal.any([signal, late.signal]);
    const response = await transport.open(method, JSON.stringify(body), bounded).finally(() => clearTimeout(timer));
    if (response.statusCode === 200) return response;
    response.destroy();
    throw this.#refused(method, response.statusCode ?? 0, '');
  }

  [Symbol.dispose](): void {
    this.#session?.transport[Symbol.dispose]();
    this.#session = undefined;
  }

  #open(): Session {
    const { identity } = this;
    if (identity === undefined) {
      throw unavailable(`plugin ${this.name} is not there: no socket at ${describe(this.address)}`, { hint: 'start the plugin' });
    }
    if (this.#session?.identity === identity) return this.#session;
    this[Symbol.dispose]();
    const transport = new Transport(this.address);
    const session: Session = { identity, transport, services: this.#activate(transport) };
    this.#session = session;
    session.services.catch(() => {
      if (this.#session === session) this[Symbol.dispose]();
    });
    return session;
  }

  async #activate(transport: Transport): Promise<ReadonlySet<string>> {
    let reply: Awaited<ReturnType<Transport['post']>>;
    try {
      reply = await transport.post('Plugin.Activate', '{}', AbortSignal.timeout(activateMs));
    } catch (error) {
      if (GantryError.is(error)) throw error;
      throw unavailable(`plugin ${this.name} did not answer Plugin.Activate in ${activateMs / 1e3} s`, { cause: error });
    }
    const implemented = field(this.#read('Plugin.Activate', reply.status, reply.body), 'Implements');
    if (!Array.isArray(implemented)) throw internal(`plugin ${this.name} does not say what it implements`);
    return new Set(implemented.filter((each): each is string => typeof each === 'string'));
  }

  #read(method: string, status: number, bytes: Buffer): Answer {
    const text = bytes.toString();
    const answer = parse(text);
    const words = answer === undefined ? '' : errorIn(answer);
    if (status !== 200) throw this.#refused(method, status, words || text);
    if (words !== '') throw refusal(`plugin ${this.name}: ${method}`, words);
    if (answer === undefined)
      throw internal(`plugin ${this.name}: ${method}: the answer is no JSON object: ${plainText(text.slice(0, 80))}`);
    return answer;
  }

  #refused(method: string, status: number, words: string): GantryError {
    const what = `plugin ${this.name}: ${method}`;
    // A Go mux, and most others, say 404 to a method that is not there; a refusal by the plugin has its own words.
    if (status === 404 && !/"err(or)?"/i.test(words) && /^\s*(404|page|not found|<|$)/i.test(words)) {
      return notImplemented(`${what} is not there`, { reason: 'PLUGIN_METHOD_MISSING' });
    }
    return refusal(what, words.trim() === '' ? `HTTP status ${status}` : words);
  }
}

/** `Err`, or IPAM's `Error`. */
function errorIn(answer: Answer): string {
  const words = field(answer, 'Err') ?? field(answer, 'Error') ?? '';
  return typeof words === 'string' ? words : JSON.stringify(words);
}

/** An empty answer counts as {}: plugins with nothing to say often say nothing. */
function parse(text: string): Answer | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The work, or the reason of the abort, whichever is first. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
