import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { forbidden, GantryError, invalidArgument, unavailable } from '@gantry/sdk';
import type { Place } from '@gantry/sdk/transport';
import { type Access, Credentials, noCredentials, type Want } from './credentials.ts';
import { Exchange, type Question } from './exchange.ts';
import { refusal } from './failures.ts';
import { baseUrl, checkReferral } from './hosts.ts';
import { readLimited } from './read-limited.ts';
import { retryAfterOf } from './retry-after.ts';
import type { RegistrySettings } from './settings.ts';

const maxErrorBytes = 65_536;
const maxRedirects = 5;

export interface Wish extends Omit<Question, 'url'> {
  readonly place: Place;
  readonly access: Access;
  /** A further repository that is read. */
  readonly alsoFrom?: string;
  /** Below `/v2/<repository>/` (without a repository `/v2/` itself), or where the registry said it is to go on. */
  readonly at: string | URL;
  /** "manifest 1.0", for what an error says. */
  readonly what: string;
  /** Answers with these are given back; everything else is an error. */
  readonly wanted: readonly number[];
}
export interface Answer {
  readonly message: IncomingMessage;
  /** Where it came from in the end. */
  readonly url: URL;
  /** Reads the body; one that is not read must be destroyed. */
  readonly body: () => AsyncIterable<Buffer>;
}

/** Asks registries, with all the turns that takes: credentials when they want some, redirects of what is read, further tries. */
export class Registry implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #exchange: Exchange;
  readonly #credentials: Credentials;

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    this.#exchange = new Exchange(settings);
    this.#credentials = new Credentials(this.#exchange);
  }

  get attempts(): number {
    return this.#settings.attempts;
  }

  /** What can be asked twice is tried again when the registry is in trouble for a moment: with growing pauses, or those it asks for. */
  async ask(wish: Wish, signal: AbortSignal): Promise<Answer> {
    const isRepeatable = wish.body === undefined || Buffer.isBuffer(wish.body);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#authorized(wish, signal);
      } catch (error) {
        const waitMs = isRepeatable ? this.pauseBefore(error, attempt) : undefined;
        if (waitMs === undefined) throw error;
        await sleep(waitMs, undefined, { signal });
      }
    }
  }

  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]();
  }

  /** How long to wait before the next attempt, in ms; undefined when there is to be none. */
  pauseBefore(error: unknown, attempt: number): number | undefined {
    if (!GantryError.is(error) || attempt >= this.#settings.attempts) return undefined;
    if (error.reason !== 'TRANSIENT' && ![429, 500, 502, 503, 504].includes(Number(error.facts['status']))) return undefined;
    const asked = error.facts['retryAfterMs'];
    return typeof asked === 'number' ? asked : this.#settings.retryDelayMs * 2 ** (attempt - 1);
  }

  async #authorized(wish: Wish, signal: AbortSignal): Promise<Answer> {
    const base = baseUrl(wish.place.host, this.#settings.insecureRegistries);
    const alsoFrom = wish.alsoFrom === undefined ? {} : { alsoFrom: checkedRepository(wish.alsoFrom) };
    const want: Want = { place: wish.place, access: wish.access, ...alsoFrom, base, signal };
    const first = await this.#followed(wish, want, this.#credentials.known(want));
    if (first.message.statusCode !== 401 || first.url.origin !== base.origin) return this.#wanted(first, wish);
    await this.#drain(first);
    if (wish.body !== undefined && !Buffer.isBuffer(wish.body)) throw noCredentials(want);
    const second = await this.#followed(wish, want, await this.#credentials.answer(first.message, want));
    if (second.message.statusCode === 401 && second.url.origin === base.origin) {
      await this.#drain(second);
      throw noCredentials(want);
    }
    return this.#wanted(second, wish);
  }

  /** Follows redirects of what is only read. Credentials go to the registry itself and nowhere else. */
  async #followed(
    { place, at, method, headers = {}, body }: Wish,
    { base, signal }: Want,
    authorization: string | undefined,
  ): Promise<Answer> {
    let url =
      typeof at === 'string' ? new URL(place.repository === '' ? '/v2/' : `/v2/${checkedRepository(place.repository)}/${at}`, base) : at;
    for (let redirects = 0; ; redirects += 1) {
      const own = url.origin === base.origin && authorization !== undefined ? { authorization } : {};
      const asked = url;
      const message = await this.#exchange.ask(
        { method, url, headers: { ...headers, ...own }, ...(body === undefined ? {} : { body }) },
        signal,
      );
      const answer = { message, url, body: () => this.#exchange.read(message, { url: asked, signal }) };
      const isRead = method === 'GET' || method === 'HEAD';
      if (!isRead || ![301, 302, 303, 307, 308].includes(message.statusCode ?? 0)) return answer;
      await this.#drain(answer);
      if (redirects === maxRedirects) throw unavailable(`registry ${base.host} redirects more than ${maxRedirects} times`);
      const location = message.headers.location ?? '';
      if (location === '' || !URL.canParse(location, url.href)) throw unavailable(`registry ${base.host} redirects to nowhere`);
      const next = new URL(location, url);
      checkReferral(url, next, 'redirects to');
      url = next;
    }
  }

  async #wanted(answer: Answer, { wanted, what, place }: Wish): Promise<Answer> {
    const { message } = answer;
    if (wanted.includes(message.statusCode ?? 0)) return answer;
    const error = refusal(
      message,
      await this.#drain(answer),
      `${place.host}${place.repository === '' ? '' : `/${place.repository}`}: ${what}`,
    );
    const retryAfterMs = retryAfterOf(message.headers['retry-after']);
    if (retryAfterMs === undefined) throw error;
    throw new GantryError(error.code, error.message, { hint: error.hint, facts: { ...error.facts, retryAfterMs } });
  }

  /** Reads a little of a body that does not matter, so that the connection can be kept. */
  async #drain({ body, message }: Answer): Promise<Buffer> {
    try {
      return await readLimited(body(), maxErrorBytes, 'an error');
    } catch (error) {
      message.destroy();
      if (GantryError.is(error)) return Buffer.alloc(0);
      throw error;
    }
  }
}

/** Where a registry says that an upload goes on. */
export function continuation({ message, url }: Answer, place: Place): URL {
  const location = message.headers.location;
  if (location === undefined || location === '' || !URL.canParse(location, url.href)) {
    throw unavailable(`${place.host}/${place.repository}: the registry began an upload without saying where it goes on`);
  }
  const next = new URL(location, url);
  checkReferral(url, next, 'continues an upload at');
  if (next.username !== '' || next.password !== '') throw forbidden(`registry ${url.host} puts credentials into an address`);
  return next;
}

function checkedRepository(repository: string): string {
  if (!/^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/.test(repository) || repository.length > 255) {
    throw invalidArgument(`invalid repository name ${JSON.stringify(repository.slice(0, 100))}`);
  }
  return repository;
}
