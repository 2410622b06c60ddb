import type { IncomingMessage } from 'node:http';
import { type ErrorCode, GantryError, unavailable } from '@gantry/sdk';

/** What a connection died of, in words, with the host and what may help. */
export function networkFailure(
  error: unknown,
  { host, protocol }: URL,
  { reason, proxy }: { readonly reason?: string; readonly proxy?: string | undefined } = {},
): GantryError {
  if (GantryError.is(error)) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const words = error instanceof Error ? error.message : String(error);
  const facts = {
    cause: error,
    hint: proxy !== undefined && noWay.has(code) ? proxyHint(proxy) : hintOf(code, protocol),
    reason: reason ?? (transient.has(code) ? 'TRANSIENT' : undefined),
  };
  return unavailable(`registry ${host}: ${words}`, facts);
}

/** Failures that a further try may not see again. */
const transient = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

const noWay = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

function proxyHint(proxy: string): string {
  const { host = proxy } = URL.parse(proxy) ?? {};
  return `is the proxy ${host} right, and does it run? no-proxy names who is asked without it`;
}

function hintOf(code: string, protocol: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'is the name right, and can this machine resolve names?';
  if (code === 'ECONNREFUSED') return 'is the registry running, and is the port right?';
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'it seems to speak plain HTTP: name it in insecureRegistries';
  if (code.startsWith('HPE_') && protocol === 'http:') return 'it seems to speak HTTPS: take it out of insecureRegistries';
  if (/CERT|SSL|SELF_SIGNED|UNABLE_TO_/.test(code)) return 'put the certificate of its authority into /etc/docker/certs.d/HOST/ca.crt';
  return 'can this machine reach the registry?';
}

/** What an answer that is no success means. `about` names host and reference. Reads the body, as far as it is needed. */
export function refusal(answer: IncomingMessage, body: Buffer, about: string): GantryError {
  const status = answer.statusCode ?? 0;
  const said = wordsOf(body);
  const code = codes[status] ?? (status >= 500 ? 'unavailable' : 'invalid_argument');
  const message = `${about}: ${answers[status] ?? `the registry answered ${status}`}${said === '' ? '' : `: ${said}`}`;
  return new GantryError(code, message, { hint: hints[status] ?? hints[Math.floor(status / 100)], facts: { status } });
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'not_implemented',
  408: 'unavailable',
  429: 'unavailable',
};
const answers: Readonly<Record<number, string>> = {
  401: 'the registry wants other credentials',
  403: 'the registry denies access',
  404: 'not found',
  429: 'the registry has had too many requests',
};
const hints: Readonly<Record<number, string>> = {
  401: 'log in to the registry first: gantry login, or docker login',
  403: 'may this user do that in this repository?',
  404: 'is the name right? A private repository looks like this to who is not logged in',
  413: 'the registry, or a proxy before it, takes no bodies of this size',
  429: 'wait, or log in: known users may ask more often',
  5: 'the registry has trouble; try again later',
};

/** The registry's own words: those of its JSON errors, or the beginning of what it sent. */
function wordsOf(body: Buffer): string {
  const text = body.toString('utf8');
  return clean(jsonWords(text) ?? text.replace(/<[^<>]{0,200}>/g, ' '));
}

function jsonWords(text: string): string | undefined {
  try {
    const { errors } = JSON.parse(text) as { readonly errors?: unknown };
    if (!Array.isArray(errors)) return undefined;
    const words = errors.slice(0, 5).map((error: unknown) => {
      const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as Readonly<Record<string, unknown>>;
      return [code, message].filter((word) => typeof word === 'string' && word !== '').join(': ');
    });
    return words.join('; ');
  } catch {
    return undefined;
  }
}

function clean(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, 300);
}
