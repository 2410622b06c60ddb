import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

test('npm run demo tells its story to the end and leaves nothing', () => {
  const told = execFileSync(process.execPath, [join(import.meta.dirname, '../support/demo.ts')], { encoding: 'utf8' });
  assert.match(told, /left behind: nothing/);
});
