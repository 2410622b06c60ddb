import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestResult } from './boot.ts';
import { type LanePiece, type PieceResult, runPiece } from './piece.ts';
import { pieces } from './pieces.ts';
import { whyNoPiece, whyNoShortRun } from './prepare.ts';

/** One test for each piece of the long run whose name begins so. */
export function testPieces(beginning: string): void {
  for (const [name, piece] of Object.entries(pieces).filter(([known]) => known.startsWith(beginning)))
    test(`the lane's piece ${name}, ${described(piece)}`, { skip: whyNoPiece(name) ?? false }, async (context) => {
      const result = await runPiece(piece);
      for (const file of piece.files) {
        if (!result.totals.has(file)) assert.fail(`the guest did not get to the end of ${file}:\n${said(result.guest)}`);
        context.diagnostic(checked(result, file));
      }
    });
}

/** One test for what of the long run fits into some minutes: a guest that does not boot, or is too slow, is a reason to skip, but a test that fails in it fails. */
export function testShortRun(piece: LanePiece): void {
  test(`in the lane, ${described(piece)}`, { skip: whyNoShortRun() ?? false }, async (context) => {
    const result = await runPiece(piece, { mayBeCut: true });
    for (const file of piece.files) {
      const totals = result.totals.get(file);
      if (totals === undefined) return context.skip(`needs a faster machine: ${endOf(result.guest)}`);
      if (totals.passed + totals.failed === 0) return context.skip(`needs a faster machine: ${totals.skipped[0]?.reason}`);
      context.diagnostic(checked(result, file));
    }
    return undefined;
  });
}

function described({ kernel, modules = [], files, env = {}, only }: LanePiece): string {
  const given = [...Object.values(env), ...(only === undefined ? [] : [only])].join(', ');
  return `kernel ${[kernel, ...modules].join(' with ')}: ${files.join(', ')}${given === '' ? '' : ` (${given.slice(0, 60)})`}`;
}

/** How many passed; throws when one failed, or none was run. */
function checked({ totals }: PieceResult, file: string): string {
  const { passed = 0, skipped = [], failures = [] } = totals.get(file) ?? {};
  assert.equal(failures.length, 0, failures.join('\n'));
  assert.ok(passed > 0, `everything in ${file} was skipped: ${skipped[0]?.reason}`);
  const reasons = [...new Set(skipped.map(({ reason }) => `\n  skipped there: ${reason}`))];
  return `${file}: ${passed} passed, ${skipped.length} skipped${reasons.join('')}`;
}

function said({ isOutOfTime, output, kernelLog }: GuestResult): string {
  return `${isOutOfTime ? 'it was out of time\n' : ''}${output}\n${kernelLog}`;
}

/** The last line of what it said, for a reason to be read in a list. */
function endOf({ isOutOfTime, output, kernelLog }: GuestResult): string {
  if (isOutOfTime) return 'the guest was out of time before it came to it';
  const lines = [kernelLog, output].flatMap((text) => text.trim().split('\n').at(-1) ?? []).filter((line) => line !== '');
  return `the guest did not come to it (${lines.at(-1)?.slice(0, 200) ?? 'it said nothing'})`;
}
