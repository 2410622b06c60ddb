import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commandsPage, page } from '../build/commands.ts';

test('.github/COMMANDS.md says what the commands say: npm run docs makes it anew', async () => {
  assert.ok(readFileSync(page, 'utf8') === (await commandsPage()), 'the page is not what the commands say: npm run docs');
});
