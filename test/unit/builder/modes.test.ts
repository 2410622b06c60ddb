import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modeOf } from '../../../plugins/builder/dockerfile/parse/modes.ts';

/** What chmod(1) makes of a file's bits, and of a folder's. */
const cases: readonly (readonly [text: string, before: number, after: number])[] = [
  ['0755', 0o644, 0o755],
  ['4711', 0o600, 0o4711],
  ['u+x', 0o644, 0o744],
  ['+x', 0o600, 0o711],
  ['u+x,go=r', 0o677, 0o744],
  ['a-w', 0o666, 0o444],
  ['go-rwx', 0o777, 0o700],
  ['o=', 0o777, 0o770],
  ['u=rwX,g=rX', 0o600, 0o640],
  ['u=rwX,g=rX', 0o711, 0o751],
  ['a+X', 0o644, 0o644],
  ['ug+s', 0o755, 0o6755],
  ['u=rw', 0o4755, 0o655],
  ['+t', 0o777, 0o1777],
  ['u+r-w', 0o300, 0o500],
];

for (const [text, before, after] of cases)
  test(`modeOf() ${text} makes ${before.toString(8)} into ${after.toString(8)}`, () => {
    const mode = modeOf(text);
    const found =
      typeof mode === 'number'
        ? mode
        : mode.reduce((bits, { clear, set, setExecutable }) => (bits & ~clear) | set | ((bits & 0o111) === 0 ? 0 : setExecutable), before);
    assert.equal(found.toString(8), after.toString(8));
  });

for (const text of ['', 'x', '8', '99', 'u+q', 'u', 'u+x,', ',', 'z+x', 'u+x go=r', `u+${'x'.repeat(300)}`, '-1', '0x1ff'])
  test(`modeOf() refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.throws(() => modeOf(text), /invalid chmod parameter: '/);
  });
