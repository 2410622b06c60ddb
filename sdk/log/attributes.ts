import { invalidArgument } from '../errors.ts';
import type { ContainerInfo } from './contract.ts';

type Options = Readonly<Record<string, string>>;

/**
 * What the options `labels`, `labels-regex`, `env`, `env-regex` and `tag` say about every entry of a container, sorted by name.
 * Labels and variables that the container does not have are left out.
 */
export function logAttributes(container: ContainerInfo, options: Options): Readonly<Record<string, string>> {
  const env = Object.fromEntries(container.env.map(splitVariable));
  const found = {
    ...pick(container.labels, options['labels'], options['labels-regex']),
    ...pick(env, options['env'], options['env-regex']),
    ...(options['tag'] === undefined || options['tag'] === '' ? {} : { tag: logTag(container, options['tag'], options) }),
  };
  return Object.fromEntries(Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Fills a tag such as `{{.ImageName}}/{{.Name}}/{{.ID}}`. Knows of Go's templates what tags are made of: fields, `index .ContainerLabels "key"`,
 * `(.ExtraAttributes nil).KEY`, and `lower`, `upper`, `title` in front of a field or behind a `|`. Fails with `invalid_argument` on anything else.
 */
export function logTag(container: ContainerInfo, template: string, options: Options = {}): string {
  const tag = template.replaceAll(/\{\{-?\s*(.*?)\s*-?\}\}/g, (_, expression: string) => {
    const value = valueOf(expression, container, options);
    if (value === undefined) {
      throw invalidArgument(`log opt tag: "{{${expression}}}" is unknown; known are ${Object.keys(fields).join(' ')}`);
    }
    return value;
  });
  if (tag.includes('{{')) throw invalidArgument(`log opt tag: "${template}" has a "{{" without "}}"`);
  return tag;
}

function valueOf(expression: string, container: ContainerInfo, options: Options): string | undefined {
  const [first = '', ...pipes] = expression.split('|').map((part) => part.trim());
  const [, before, term = first] = /^(\w+)\s+(\.\w+)$/.exec(first) ?? [];
  let value = termOf(term, container, options);
  for (const name of before === undefined ? pipes : [before, ...pipes]) {
    const change = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (change === undefined || value === undefined) return undefined;
    value = change(value);
  }
  return value;
}

function termOf(term: string, container: ContainerInfo, options: Options): string | undefined {
  if (Object.hasOwn(fields, term)) return fields[term]?.(container);
  const [, label] = /^index\s+\.ContainerLabels\s+"([^"]*)"$/.exec(term) ?? [];
  if (label !== undefined) return container.labels[label] ?? '';
  const [, attribute] = /^\(\s*\.ExtraAttributes\s+nil\s*\)\.(\w+)$/.exec(term) ?? [];
  return attribute === undefined ? undefined : (logAttributes(container, { ...options, tag: '' })[attribute] ?? '');
}

const functions: Readonly<Record<string, (text: string) => string>> = {
  lower: (text) => text.toLowerCase(),
  upper: (text) => text.toUpperCase(),
  title: (text) => text.replaceAll(/\b\w/g, (letter) => letter.toUpperCase()),
};

const fields: Readonly<Record<string, (container: ContainerInfo) => string>> = {
  '.ID': ({ id }) => id.slice(0, 12),
  '.FullID': ({ id }) => id,
  '.Name': ({ name }) => name.replace(/^\//, ''),
  '.ImageID': ({ imageId }) => imageId.slice(imageId.indexOf(':') + 1).slice(0, 12),
  '.ImageFullID': ({ imageId }) => imageId,
  '.ImageName': ({ image }) => image,
  '.Command': ({ command }) => command.join(' '),
  '.DaemonName': () => 'docker',
};

function pick(all: Options, list: string | undefined, pattern: string | undefined): Options {
  const names = new Set((list ?? '').split(',').filter((name) => name !== ''));
  const matches = pattern === undefined || pattern === '' ? undefined : new RegExp(pattern);
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name) || matches?.test(name) === true));
}

function splitVariable(variable: string): readonly [string, string] {
  const at = variable.indexOf('=');
  return at === -1 ? [variable, ''] : [variable.slice(0, at), variable.slice(at + 1)];
}
