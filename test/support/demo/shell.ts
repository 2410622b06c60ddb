import { spawn } from 'node:child_process';
import { join } from 'node:path';
import colors from 'picocolors';

const program = join(import.meta.dirname, '../../../core/bin/gantry.mjs');

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real command line against one engine, showing what is typed and what comes back. */
export class Shell {
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
  }

  /** Fails when the exit code is not the expected one, which is 0 unless given. */
  async gantry(...given: readonly (string | { readonly expect: number })[]): Promise<Outcome> {
    const words = given.filter((word) => typeof word === 'string');
    const expected = given.map((word) => (typeof word === 'string' ? 0 : word.expect)).find((code) => code !== 0) ?? 0;
    write(`${colors.dim('$')} gantry ${words.map(quote).join(' ')}`);
    const { status, stdout, stderr } = await run(words, { ...process.env, GANTRY_HOST: this.#host });
    for (const output of [stdout, stderr]) if (output !== '') write(output.trimEnd());
    if (expected !== 0) write(colors.dim(`exit code ${status}`));
    if (status !== expected) throw new Error(`gantry ${words[0] ?? ''} ended with ${status}, not ${expected}`);
    return { stdout, stderr };
  }
}

async function run(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome & { readonly status: number }> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const ended = Promise.withResolvers<number>();
  child.on('close', (code) => ended.resolve(code ?? 1)).on('error', ended.reject);
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended.promise]);
  return { stdout, stderr, status };
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString('utf8');
}

function write(lines: string): void {
  process.stdout.write(`${lines.replaceAll(/^/gm, '   ')}\n`);
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
