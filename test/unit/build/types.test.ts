import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { declarations, typesEntry } from '../../build/types.ts';

test('the types of the package speak of nothing that it does not bring', () => {
  const paths = declarations(join(import.meta.dirname, '../../..')).map(([path]) => `./${path}`);
  assert.ok(paths.includes(typesEntry));
  assert.ok(!paths.some((path) => path.endsWith('linux/calls.d.ts')), 'and of no FFI');
});
