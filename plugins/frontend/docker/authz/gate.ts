import type { IncomingMessage, ServerResponse } from 'node:http';
import { cancelled, type Logger } from '@gantry/sdk';
import type { AuthzRequest } from '@gantry/sdk/authz';
import type { AuthzLink } from '@gantry/sdk/frontend';
import { callerOf } from '../http/caller.ts';
import { checkContentType, readBytes } from '../http/json.ts';
import { refuseAmbiguous } from './ambiguous.ts';
import { Chain } from './chain.ts';
import { holdResponse } from './held-response.ts';

/** Credentials are not theirs to see. */
const hiddenHeaders = new Set(['x-registry-auth', 'x-registry-config']);

export interface GateOptions {
  readonly links: readonly AuthzLink[];
  readonly log: Logger;
  readonly stopping: AbortSignal;
}

/** Lets requests in, and their answers out, that the authz drivers allow. */
export class Gate {
  readonly #chain: Chain;
  readonly #stopping: AbortSignal;
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();

  constructor({ links, log, stopping }: GateOptions) {
    this.#chain = new Chain(links, log);
    this.#stopping = stopping;
  }

  /**
   * Resolves when the request may be carried out as `uri`; its answer is then held until it is allowed too. A JSON body is read whole and
   * kept: what was shown is what is carried out.
   */
  async admit(request: IncomingMessage, response: ServerResponse, uri: string): Promise<void> {
    const body = isShown(request, uri) ? await readBytes(bodyOf(request)) : undefined;
    if (body !== undefined) this.#bodies.set(request, body);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.#stopping]);
    const facts = await this.#ask(request, { uri, body, signal });
    holdResponse(response, (answer) => this.#chain.response({ request: facts, ...answer }, signal));
  }

  /** The same for a connection that is to become a stream: its body was read, and it has no answer that could be held. */
  async admitUpgrade(
    request: IncomingMessage,
    { uri, body, signal }: { readonly uri: string; readonly body: Buffer; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#ask(request, { uri, body: isShown(request, uri) ? body : undefined, signal });
  }

  /** What was shown of a request's body; undefined: it was not read. */
  bodyOf(request: IncomingMessage): Buffer | undefined {
    return this.#bodies.get(request);
  }

  async #ask(
    request: IncomingMessage,
    { uri, body, signal }: { readonly uri: string; readonly body: Buffer | undefined; readonly signal: AbortSignal },
  ): Promise<AuthzRequest> {
    if (body !== undefined) refuseAmbiguous(body);
    const facts: AuthzRequest = {
      ...identityOf(request),
      method: request.method ?? '',
      uri,
      headers: headersOf(request.rawHeaders),
      ...(body === undefined || body.length === 0 ? {} : { body }),
    };
    await this.#chain.request(facts, signal);
    return facts;
  }
}

/** Whom the transport proved: on a unix socket nobody by name. */
function identityOf(request: IncomingMessage): Pick<AuthzRequest, 'user' | 'authenticationMethod' | 'peerCertificates'> {
  const caller = callerOf(request);
  if (caller.kind !== 'tls') return { user: '', authenticationMethod: '' };
  return { user: caller.user, authenticationMethod: 'TLS', peerCertificates: caller.certificates };
}

/** Left early, the connection stays for the answer. */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } catch (error) {
    throw cancelled('the client went away before its request was whole', { cause: error });
  }
}

/** JSON, by the very rule that decides whether it is parsed; the body of /auth is a password. */
function isShown({ headers }: IncomingMessage, uri: string): boolean {
  if (/^(\/v[0-9.]+)?\/auth(\?|$)/.test(uri)) return false;
  try {
    checkContentType(headers['content-type']);
    return true;
  } catch {
    return false;
  }
}

/** The first value of each, as Docker passes them on. */
function headersOf(rawHeaders: readonly string[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const canonical = name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
    if (!hiddenHeaders.has(name) && !Object.hasOwn(headers, canonical)) headers[canonical] = rawHeaders[index + 1] ?? '';
  }
  return headers;
}
