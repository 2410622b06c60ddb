import { invalidArgument } from '@gantry/sdk';

/** Every JSON document of an image is at most this long. */
export const maxDocumentBytes = 4 * 1024 * 1024;
/** Deeper than any real document, and shallow enough to be written again by a recursive writer. */
const maxDepth = 64;

/**
 * A JSON document that somebody else wrote. `invalid_argument`, naming `what`, for one that is too long, too deep, no UTF-8, no JSON, or
 * says a key twice: readers differ in which one they believe (CVE-2021-41190).
 */
export function parseDocument(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > maxDocumentBytes) throw invalidArgument(`${what} has ${bytes.length} bytes, at most ${maxDocumentBytes}`);
  const text = decode(bytes, what);
  checkShape(text, what);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidArgument(`${what} is no JSON: ${cause instanceof Error ? cause.message.slice(0, 200) : ''}`, { cause });
  }
}

function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalidArgument(`${what} is no UTF-8`, { cause });
  }
}

/** Depth and doubled keys only; whether it is JSON at all is asked of the real parser. */
function checkShape(text: string, what: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        if (open.length === maxDepth) throw invalidArgument(`${what} is nested more than ${maxDepth} deep`);
        open.push(text[at] === '{' ? new Set() : undefined);
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        break;
      case 0x22: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (keys !== undefined && isKey(text, end)) checkKey(text.slice(at, end + 1), keys, what);
        at = end;
        break;
      }
      default:
    }
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at += 1;
  return text[at] === ':';
}

function checkKey(literal: string, keys: Set<string>, what: string): void {
  const key = literal.includes('\\') ? unescaped(literal) : literal.slice(1, -1);
  if (keys.has(key)) throw invalidArgument(`${what} says ${JSON.stringify(key.slice(0, 100))} twice`);
  keys.add(key);
}

function unescaped(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}
