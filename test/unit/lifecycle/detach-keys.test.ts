import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachScanner, parseDetachKeys } from '../../../core/lifecycle/io/detach-keys.ts';

function scan(keys: string, ...packets: readonly string[]): readonly [string, boolean] {
  const scanner = new DetachScanner(parseDetachKeys(keys));
  let passed = '';
  for (const packet of packets) {
    const { data, detached } = scanner.push(Buffer.from(packet, 'latin1'));
    passed += data.toString('latin1');
    if (detached) return [passed, true];
  }
  return [passed, false];
}

const rows: readonly (readonly [string, string, readonly string[], readonly [string, boolean]])[] = [
  ['the sequence in one packet', '', ['ls\x10\x11rest'], ['ls', true]],
  ['the sequence split over packets', '', ['ls\x10', '\x11'], ['ls', true]],
  ['a first key alone is passed on with what follows', '', ['\x10', 'x'], ['\x10x', false]],
  ['the first key twice', '', ['\x10\x10\x11'], ['\x10', true]],
  ['nothing of it', '', ['hello'], ['hello', false]],
  ['keys of one’s own', 'a,ctrl-]', ['xa\x1d'], ['x', true]],
];
for (const [name, keys, packets, expected] of rows) {
  test(`DetachScanner.push(): ${name}`, () => assert.deepEqual(scan(keys, ...packets), expected));
}

for (const keys of ['ctrl-', 'ctrl-1', 'ab', ',', 'ä']) {
  test(`parseDetachKeys() refuses ${JSON.stringify(keys)}`, () =>
    assert.throws(() => parseDetachKeys(keys), /invalid detach keys: unknown character/));
}
