import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invalidArgument, unavailable } from '@gantry/sdk';
import { textOf } from '../../../plugins/frontend/docker/status.ts';

test('textOf() tells what to do behind the message, and above the lines that show where it was', () => {
  const hint = 'is the name right?';
  const table: readonly (readonly [error: unknown, text: string])[] = [
    [new Error('broken'), 'broken'],
    [invalidArgument('no such port'), 'no such port'],
    [unavailable('registry r does not answer', { hint }), 'registry r does not answer: is the name right?'],
    [
      unavailable('registry r does not answer\n  Dockerfile:1 | FROM r/x', { hint }),
      'registry r does not answer: is the name right?\n  Dockerfile:1 | FROM r/x',
    ],
  ];
  for (const [error, text] of table) assert.equal(textOf(error), text);
});
