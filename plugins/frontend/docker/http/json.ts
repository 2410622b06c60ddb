import { GantryError, invalidArgument } from '@gantry/sdk';
import { bodyTooLarge } from '../status.ts';

const maxJsonBytes = 4 * 1024 * 1024;
const maxDiscardedBytes = 128 * 1024 * 1024;
/** Documents of clients are some ten levels deep; more than this would overflow the stack of whoever walks them. */
const maxDepth = 1_000;

/** The whole body, at most 4 MiB. Most of what is too long is read all the same: a client that still writes does not read the refusal. */
export async function readBytes(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size <= maxJsonBytes) chunks.push(chunk);
    else if (size > maxDiscardedBytes) break;
  }
  if (size > maxJsonBytes) {
    throw new GantryError('invalid_argument', `the request body is larger than ${maxJsonBytes} bytes`, { reason: bodyTooLarge });
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Refuses any Content-Type but application/json, in Docker's words. */
export function checkContentType(header: string | undefined): void {
  const [type = ''] = (header ?? '').split(';');
  if (type.trim() === '') throw invalidArgument(`malformed Content-Type header (${header ?? ''}): mime: no media type`);
  if (type.trim().toLowerCase() !== 'application/json') {
    throw invalidArgument(`unsupported Content-Type header (${header}): must be 'application/json'`);
  }
}

/**
 * One JSON document, with Go's refusals: nothing behind it, no byte order mark, not deeper than 1,000. Whole numbers that a double
 * cannot hold exactly are refused instead of rounded.
 */
export function parseJson(bytes: Buffer): unknown {
  const text = bytes.toString();
  if (text.trim() === '') throw invalidArgument('invalid JSON: EOF');
  if (bytes.length > maxDepth) checkDepth(bytes);
  try {
    return /\d{16}/.test(text) ? JSON.parse(text, refuseRounding) : JSON.parse(text);
  } catch (error) {
    throw GantryError.is(error) ? error : syntaxError(error, text);
  }
}

function refuseRounding(_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  if (typeof value !== 'number' || source === undefined || !/^-?\d+$/.test(source) || Number.isSafeInteger(value)) return value;
  throw invalidArgument(`invalid JSON: number ${source} is beyond 2^53 and would be rounded`);
}

function checkDepth(bytes: Buffer): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (inString) {
      if (byte === 0x5c) index++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth) throw invalidArgument(`invalid JSON: invalid character '${String.fromCharCode(byte)}' exceeded max depth`);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

function syntaxError(error: unknown, text: string): GantryError {
  const message = error instanceof Error ? error.message : '';
  if (/non-whitespace character after JSON/.test(message)) return invalidArgument('unexpected content after JSON');
  const at = Number(/at position (\d+)/.exec(message)?.[1] ?? Number.NaN);
  if (/end of JSON input|Unterminated string/.test(message) || at >= text.trimEnd().length)
    return invalidArgument('invalid JSON: unexpected EOF');
  const character = Number.isNaN(at) ? (/token '(.+?)',/su.exec(message)?.[1] ?? text.trimStart()[0]) : text[at];
  return invalidArgument(`invalid JSON: invalid character '${character}' looking for beginning of value`);
}
