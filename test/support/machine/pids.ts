import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Processes whose command line has these words, and that run. */
export function pidsOf(words: string): readonly number[] {
  const { stdout } = spawnSync('pgrep', ['-f', '--', words], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter(isRunning);
}

/** One that has ended may not have been reaped yet by whoever adopted it. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/status`) && !/^State:\s[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
