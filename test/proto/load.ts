import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';

export const protoDir = join(import.meta.dirname, '../../proto');
const googleDir = dirname(createRequire(import.meta.url).resolve('protobufjs/package.json'));

/** Every .proto of ours, resolved, comments kept. */
export function loadProtos(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(target.startsWith('google/') ? googleDir : protoDir, target);
  const files = readdirSync(protoDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'));
  root.loadSync(files.toSorted(), { alternateCommentMode: true });
  root.resolveAll();
  return root;
}

/** The package's kind: "graph" of gantry.graph.v1. */
export function kindOf(item: protobuf.ReflectionObject): string {
  return item.fullName.split('.')[2] ?? '';
}

export function packages(root: protobuf.Root): protobuf.Namespace[] {
  const gantry = root.lookup('gantry');
  if (!(gantry instanceof protobuf.Namespace)) throw new Error('no package gantry');
  return gantry.nestedArray.flatMap((kind) => (kind instanceof protobuf.Namespace ? kind.nestedArray : [])) as protobuf.Namespace[];
}

export function option(item: protobuf.ReflectionObject, name: string): unknown {
  return item.options?.[`(gantry.types.v1.${name})`] ?? item.options?.[name];
}

export function callOption(method: protobuf.Method, name: 'timeout' | 'feature' | 'key_field'): string | undefined {
  const value: unknown = method.options?.[`(gantry.types.v1.call).${name}`];
  return typeof value === 'string' ? value : undefined;
}

/** A oneof that the author wrote, not the one behind `optional`. */
export function unionOf(type: protobuf.Type): protobuf.OneOf | undefined {
  return type.oneofsArray.find(({ name }) => !name.startsWith('_'));
}

export function isOptional(field: protobuf.Field): boolean {
  return field.partOf?.name.startsWith('_') ?? false;
}

export const camel = (name: string): string => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
export const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** RUNNING → "running"; the zero value means nothing was said. */
export function enumTexts(type: protobuf.Enum): (string | null)[] {
  const texts: (string | null)[] = [];
  for (const [name, value] of Object.entries(type.values)) texts[value] = value === 0 ? null : name.toLowerCase().replaceAll('_', '-');
  return texts;
}
