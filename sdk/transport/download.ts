import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { invalidArgument, messageOf, unavailable } from '../errors.ts';

export interface Download {
  /** Where it was found at last. */
  readonly url: URL;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Whoever leaves it early ends the connection. */
  readonly body: AsyncIterable<Buffer>;
}

const mostRedirects = 20;
const answerTimeoutMs = 60_000;
const silenceTimeoutMs = 60_000;

/**
 * What is at an http or https address, through redirects. `invalid_argument` when the server answers anything but success, `unavailable` when
 * it cannot be reached or says nothing for a minute; abort ends both the asking and the reading.
 *
 * Not by `fetch`: that of Node 24 throws outside of every promise, and so ends the process, when a server closes a connection whose body is
 * not read at once (nodejs/undici#5360).
 */
export async function download(address: URL, { signal }: { readonly signal: AbortSignal }): Promise<Download> {
  let url = address;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const answer = await ask(url, signal);
    const { statusCode = 0, statusMessage = '', headers } = answer;
    if (statusCode >= 200 && statusCode < 300) return { url, headers, body: bodyOf(answer, url) };
    answer.destroy();
    const isElsewhere = statusCode >= 300 && statusCode < 400 && headers.location !== undefined;
    const next = isElsewhere ? URL.parse(headers.location ?? '', url.href) : null;
    if (next === null) throw invalidArgument(`${shown(url)}: ${statusCode} ${statusMessage}`.trim());
    if (!isWeb(next)) throw invalidArgument(`${shown(url)} leads to ${next.protocol} which is no http or https address`);
    url = next;
  }
  throw invalidArgument(`${shown(address)} leads from one address to the next more than ${mostRedirects} times`);
}

const isWeb = ({ protocol }: URL): boolean => protocol === 'http:' || protocol === 'https:';

function ask(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  if (!isWeb(url)) throw invalidArgument(`${url.protocol} is no http or https address`);
  const { request } = url.protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, signal, headers: { Accept: '*/*' } });
    asked.once('response', resolve).once('error', (error) => reject(signal.aborted ? signal.reason : unreachable(url, error)));
    asked.setTimeout(answerTimeoutMs, () => asked.destroy(new Error('it does not answer')));
    asked.end();
  });
}

async function* bodyOf(answer: IncomingMessage, url: URL): AsyncIterable<Buffer> {
  answer.setTimeout(silenceTimeoutMs, () => answer.destroy(new Error('it says nothing any more')));
  try {
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    throw unreachable(url, error);
  } finally {
    answer.destroy();
  }
}

const unreachable = (url: URL, error: unknown) => unavailable(`${shown(url)}: ${messageOf(error)}`, { cause: error });

/** Without a name and a password. */
const shown = ({ origin, pathname, search }: URL): string => `${origin}${pathname}${search}`;
