import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachDetector, parseDetachKeys } from '../../../core/cli/session/detach-keys.ts';

test('parseDetachKeys() reads control keys and letters', () => {
  assert.deepEqual([...parseDetachKeys('ctrl-p,ctrl-Q,a,ctrl-@,ctrl-[')], [16, 17, 97, 0, 27]);
  for (const keys of ['', 'ctrl-', 'ctrl-1', 'ab', 'a,,b', 'é']) assert.throws(() => parseDetachKeys(keys), /is not a key/, keys);
});

const cases: readonly (readonly [typed: readonly string[], sent: string, detached: boolean])[] = [
  [['hello'], 'hello', false],
  [['ab\x10\x11'], 'ab', true],
  [['a\x10', '\x11b'], 'a', true],
  [['\x10', 'x'], '\x10x', false],
  [['\x10\x10\x11'], '\x10', true],
  [['\x11\x10'], '\x11', false],
];
for (const [typed, sent, detached] of cases) {
  test(`DetachDetector.push() of ${JSON.stringify(typed)} sends ${JSON.stringify(sent)}${detached ? ' and detaches' : ''}`, () => {
    const detector = new DetachDetector(parseDetachKeys('ctrl-p,ctrl-q'));
    const outcomes = typed.map((part) => detector.push(Buffer.from(part)));
    assert.equal(Buffer.concat(outcomes.map(({ send }) => send)).toString(), sent);
    assert.equal(outcomes.at(-1)?.detached, detached);
  });
}
