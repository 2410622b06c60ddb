import { refuse } from './refuse.ts';

/** "key=value", or "key" for an empty value, as labels and options are written. */
export function parseKeyValue(text: string): readonly [key: string, value: string] {
  const at = text.indexOf('=');
  const key = at < 0 ? text : text.slice(0, at);
  if (key.trim() === '') throw refuse(text, 'has no key', 'write key=value');
  return [key, at < 0 ? '' : text.slice(at + 1)];
}

/** As parseKeyValue, and the value is required. */
export function parseAssignment(text: string): readonly [key: string, value: string] {
  if (!text.includes('=')) throw refuse(text, 'has no value', 'write key=value');
  return parseKeyValue(text);
}

/** Later ones win. */
export function toRecord(pairs: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs);
}
