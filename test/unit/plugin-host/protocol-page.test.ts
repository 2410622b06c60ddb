import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const top = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(top, path), 'utf8');

test('.github/PLUGINS.md names every variable that a plugin is started with, and no other', () => {
  const given = new Set([...read('sdk/serve/start.ts').matchAll(/^ {4}([A-Z][A-Z_]+):/gm)].map(([, name]) => name));
  const told = new Set([...read('.github/PLUGINS.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name));
  assert.ok(given.size > 5, 'the variables are found in the code');
  assert.deepEqual(told, given);
});
