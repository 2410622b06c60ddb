import type { IncomingMessage } from 'node:http';
import { type ErrorCode, GantryError, codeOf, forbidden, messageOf, unavailable } from '../errors.ts';
import { type Address, showAddress } from './address.ts';

/** The server's answer as an error: its own words, its status in `facts.status`. */
export async function apiFailure(answer: IncomingMessage): Promise<GantryError> {
  const status = answer.statusCode ?? 500;
  return new GantryError(codes[status] ?? (status < 500 ? 'invalid_argument' : 'internal'), await serverMessage(answer), {
    facts: { status },
  });
}

/** Why no answer came. */
export function connectFailure(error: unknown, address: Address): GantryError {
  if (GantryError.is(error)) return error;
  const where = showAddress(address);
  const errno = error instanceof Error && 'code' in error ? error.code : undefined;
  const facts = { errno, address: where };
  if (errno === 'ENOENT' || errno === 'ECONNREFUSED') {
    return unavailable(`cannot connect to the engine at ${where}: is it running?`, { cause: error, facts });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const hint = 'run it as root, or as a member of the group that owns the socket';
    return forbidden(`no permission to use the engine at ${where}`, { cause: error, facts, hint });
  }
  if (codeOf(error) === 'cancelled') return new GantryError('cancelled', 'the request was given up', { cause: error });
  const lost = errno === 'ECONNRESET' || errno === 'EPIPE';
  return unavailable(lost ? `the engine at ${where} closed the connection` : `${where}: ${messageOf(error)}`, { cause: error, facts });
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  408: 'deadline_exceeded',
  409: 'conflict',
  500: 'internal',
  501: 'not_implemented',
  503: 'unavailable',
  504: 'deadline_exceeded',
  507: 'exhausted',
};
const maxMessageBytes = 64 * 1024;

async function serverMessage(answer: IncomingMessage): Promise<string> {
  const text = await readSome(answer);
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') return body.message.trim();
  } catch {
    // Not ours: a proxy, or an upgrade refused in plain text.
  }
  return text.trim() || `the server answered ${answer.statusCode} ${answer.statusMessage ?? ''}`.trim();
}

async function readSome(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > maxMessageBytes) break;
  }
  return Buffer.concat(parts).toString('utf8', 0, maxMessageBytes);
}
