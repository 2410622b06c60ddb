import { readFileSync } from 'node:fs';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { messageOf } from '@gantry/sdk/errors';
import type { Directive } from './directive.ts';
import { directives } from './directives.ts';

export type Settings = ReadonlyMap<string, unknown>;

/** daemon.json by key, every value of the kind and form its directive asks for. A file that is not there is empty, unless it is required. */
export function readConfigFile(path: string, { isRequired }: { readonly isRequired: boolean }): Settings {
  const text = readText(path, isRequired);
  if (text === undefined || text.trim() === '') return new Map();
  const content = parseJson(path, text);
  if (!isObject(content)) throw invalidArgument(`${path}: must be a JSON object`);
  const unknown = Object.keys(content).filter((key) => directiveOf(key) === undefined);
  if (unknown.length > 0) {
    throw invalidArgument(`${path}: the following directives don't match any configuration option: ${unknown.join(', ').slice(0, 400)}`);
  }
  return new Map(Object.entries(content).map(([key, value]) => [key, checkValue(path, key, value)]));
}

function directiveOf(key: string): Directive | undefined {
  return directives.find((directive) => directive.key === key);
}

function readText(path: string, isRequired: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/^\u{FEFF}/u, '');
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isMissing && !isRequired) return undefined;
    throw fromErrno(error, 'cannot read the configuration file');
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    const content: unknown = JSON.parse(text);
    return content;
  } catch (error) {
    throw invalidArgument(`${path}: is not JSON: ${messageOf(error)}`);
  }
}

function checkValue(path: string, key: string, value: unknown): unknown {
  const directive = directiveOf(key);
  if (directive === undefined) return value;
  const { kind, parse = (text: string): unknown => text } = directive;
  const refuseKind = (): Error => invalidArgument(`${path}: ${JSON.stringify(key)} must be ${kindNames[kind]}`);
  try {
    switch (kind) {
      case 'boolean':
        if (typeof value !== 'boolean') throw refuseKind();
        return value;
      case 'number':
        if (typeof value !== 'number') throw refuseKind();
        return parse(String(value));
      case 'text':
        if (typeof value !== 'string') throw refuseKind();
        return parse(value);
      case 'size':
        if (typeof value !== 'string' && typeof value !== 'number') throw refuseKind();
        return parse(String(value));
      case 'list':
        if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw refuseKind();
        return value.map((one: string) => parse(one));
      case 'map':
        if (!isObject(value)) throw refuseKind();
        return value;
      case 'rows':
        if (!Array.isArray(value)) throw refuseKind();
        return value.map((row) => {
          if (!isObject(row)) throw refuseKind();
          return parse(rowText(row));
        });
      default:
        return kind satisfies never;
    }
  } catch (error) {
    const message = messageOf(error);
    throw message.startsWith(path) ? error : invalidArgument(`${path}: ${JSON.stringify(key)}: ${message}`, { cause: error });
  }
}

/** As it would be written as a flag. */
function rowText(row: Readonly<Record<string, unknown>>): string {
  return Object.entries(row)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');
}

const kindNames = {
  boolean: 'true or false',
  number: 'a number',
  size: 'a size, like "64m"',
  text: 'text',
  list: 'a list of texts',
  map: 'an object',
  rows: 'a list of objects',
} as const satisfies Record<Directive['kind'], string>;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
