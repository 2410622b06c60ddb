import { invalidArgument } from '../errors.ts';

/** One JSON object that an engine sent. */
export type Body = Readonly<Record<string, unknown>>;

/** "" when absent or null, as Go sends what is empty; another type is `invalid_argument` with the field's name. */
export function text(body: Body, name: string): string {
  const value = body[name] ?? '';
  if (typeof value !== 'string' || value.includes('\0')) throw invalidArgument(`${name} must be a text`);
  return value;
}

/** A text that must be there. */
export function given(body: Body, name: string): string {
  const value = text(body, name);
  if (value === '') throw invalidArgument(`${name} is missing`);
  return value;
}

export function object(body: Body, name: string): Body {
  const value = body[name] ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidArgument(`${name} must be an object`);
  return value as Body;
}

export function list(body: Body, name: string): readonly unknown[] {
  const value = body[name] ?? [];
  if (!Array.isArray(value)) throw invalidArgument(`${name} must be a list`);
  return value;
}

/** An object whose values are texts; numbers and booleans count as what they are written as, objects as JSON. */
export function texts(body: Body, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(object(body, name)).map(([key, value]) => [key, written(value)]));
}

function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
