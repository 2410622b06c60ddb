import { type ErrorCode, fromErrno, GantryError, invalidArgument, messageOf, unavailable } from '../errors.ts';

/** JSON over HTTP, with the answers' statuses as errors of the catalogue. */
export class Http {
  readonly #settings: Readonly<Record<string, unknown>>;
  readonly #signal: AbortSignal;

  constructor({ settings, signal }: { readonly settings: Readonly<Record<string, unknown>>; readonly signal: AbortSignal }) {
    this.#settings = settings;
    this.#signal = signal;
  }

  get<Answer = unknown>(path: string): Promise<Answer> {
    return this.#send('GET', path);
  }
  post<Answer = unknown>(path: string, body: unknown): Promise<Answer> {
    return this.#send('POST', path, body);
  }
  put<Answer = unknown>(path: string, body: unknown): Promise<Answer> {
    return this.#send('PUT', path, body);
  }
  /** What is not there is deleted. */
  async delete(path: string): Promise<void> {
    try {
      await this.#send('DELETE', path);
    } catch (error) {
      if (!GantryError.is(error) || error.code !== 'not_found') throw error;
    }
  }

  async #send<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const { url: base, token } = this.#settings;
    const url = typeof base === 'string' ? `${base.replace(/\/$/, '')}${path}` : path;
    if (!URL.canParse(url))
      throw invalidArgument(`${JSON.stringify(url)} is no address: the setting url is missing`, { reason: 'SETTING_MISSING' });
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}),
    };
    const answer = await fetch(url, {
      method,
      headers,
      signal: this.#signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      this.#signal.throwIfAborted();
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw unavailable(`${method} ${url}: ${messageOf(cause)}`, { cause: fromErrno(cause, method), reason: 'BACKEND_DOWN' });
    });
    const text = await answer.text();
    if (!answer.ok) throw refusal(`${method} ${url}`, answer, text);
    try {
      return (text === '' ? undefined : JSON.parse(text)) as Answer;
    } catch (error) {
      throw unavailable(`${method} ${url} answered no JSON`, { cause: error, reason: 'BACKEND_ANSWER' });
    }
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'already_exists',
  412: 'conflict',
  422: 'invalid_argument',
  423: 'conflict',
  507: 'exhausted',
};

function refusal(what: string, { status, headers }: Response, text: string): GantryError {
  const waitS = Number(headers.get('retry-after'));
  return new GantryError(codes[status] ?? 'unavailable', `${what} answered ${status}${text === '' ? '' : `: ${text.slice(0, 200)}`}`, {
    reason: 'BACKEND_REFUSED',
    facts: { status },
    ...(waitS > 0 ? { retryAfterMs: waitS * 1_000 } : {}),
  });
}
