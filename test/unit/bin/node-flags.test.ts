import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nodeFlags } from '../../../core/cli/daemon/index.ts';

test('nodeFlags are those in the first line of gantryd.mjs', () => {
  const [firstLine = ''] = readFileSync(new URL('../../../core/bin/gantryd.mjs', import.meta.url), 'utf8').split('\n');
  assert.equal(firstLine, `#!/usr/bin/env -S node ${nodeFlags.join(' ')}`);
});
