import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindOf, loadProtos, packages } from './load.ts';
import { schemaOf } from './schema.ts';
import { typesOf } from './types.ts';

const top = join(import.meta.dirname, '../..');

/** Contents by path from the top. */
export function generated(): ReadonlyMap<string, string> {
  const root = loadProtos();
  const files = new Map([['sdk/rpc/schema.json', formatted('sdk/rpc/schema.json', JSON.stringify(schemaOf(root)))]]);
  for (const space of packages(root)) {
    const [first] = space.nestedArray;
    if (first === undefined) continue;
    const kind = kindOf(first);
    const place = kind === 'plugin' || kind === 'host' ? `sdk/rpc/generated-${kind}.ts` : `sdk/${kind}/generated.ts`;
    files.set(place, formatted(place, typesOf(space)));
  }
  return files;
}

function formatted(path: string, text: string): string {
  return execFileSync(join(top, 'node_modules/.bin/biome'), ['format', `--stdin-file-path=${path}`], {
    cwd: top,
    input: text,
    encoding: 'utf8',
  });
}

if (import.meta.main) for (const [path, text] of generated()) writeFileSync(join(top, path), text);
