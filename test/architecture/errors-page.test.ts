import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from '../../sdk/errors.ts';

test('.github/ERRORS.md explains every error code, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../.github/ERRORS.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code]) => code);
  assert.deepEqual(explained, [...errorCodes]);
});
