import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Abortable, invalidArgument, messageOf } from '@gantry/sdk';
import { sniff } from './worker/decompress.ts';

/** Fixed places only: nothing that an image or a user's PATH says decides what runs. */
const tools = {
  xz: ['/usr/bin/xz', '/bin/xz'],
  bzip2: ['/usr/bin/bzip2', '/bin/bzip2'],
} as const;

/**
 * The stream as it is, or the output of xz(1) or bzip2(1) when it is compressed so; gzip and zstd are taken off where the stream is read.
 * Damaged: `invalid_argument`. Ending or aborting the reading ends the tool. A chunk is used up when the next one is asked for.
 */
export async function* plainStream(source: AsyncIterable<Buffer>, { signal }: Abortable = {}): AsyncIterable<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  const all = restOf(first.value, chunks);
  const kind = sniff(first.value);
  if (kind === 'xz' || kind === 'bzip2') yield* through(kind, all, signal);
  else yield* all;
}

async function* restOf(first: Buffer, chunks: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  try {
    yield first;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

/** The pipe to the tool keeps several. */
async function* copies(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

async function* through(kind: keyof typeof tools, source: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncIterable<Buffer> {
  const file = tools[kind].find((path) => existsSync(path));
  if (file === undefined) throw invalidArgument(`unsupported compression ${kind}: the ${kind} tool is not installed`);
  const child = spawn(file, ['-dc'], { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => void (said.length < 10 && said.push(chunk)));
  const feeding = pipeline(copies(source), child.stdin).catch((error: unknown) => error);
  try {
    for await (const chunk of child.stdout) yield Buffer.from(chunk as Uint8Array);
    const code = await ended;
    signal?.throwIfAborted();
    if (code !== 0) throw invalidArgument(`${kind} stream: ${Buffer.concat(said).toString().trim() || `exit code ${code}`}`);
    const failure = await feeding;
    if (failure !== undefined) throw failure instanceof Error ? failure : new Error(messageOf(failure));
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await ended;
  }
}
