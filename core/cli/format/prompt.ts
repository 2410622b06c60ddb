import { createInterface } from 'node:readline/promises';

/** Asks on the terminal; without one the answer is no, unless `flag` is given, which the caller looks at. */
export async function confirm(question: string, flag = '--force'): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(`${question} [y/N] no (not a terminal: say ${flag})\n`);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
