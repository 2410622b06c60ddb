import { Writable } from 'node:stream';
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

/** One line from the terminal. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

/** The same without showing what is typed. */
export async function askHidden(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    const stop = new AbortController();
    terminal.on('SIGINT', () => stop.abort());
    // Only now, when the terminal no longer shows what is typed.
    process.stderr.write(question);
    return await terminal.question('', { signal: stop.signal });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
