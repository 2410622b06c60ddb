import type { Progress } from '@gantry/sdk/engine';
import { humanSize } from './human.ts';

/** Counts what passes through. On a terminal it draws a bar on stderr, or a running count when the total is not known. */
export async function* withBar(label: string, stream: AsyncIterable<Buffer>, totalBytes?: number): AsyncGenerator<Buffer> {
  if (!process.stderr.isTTY) {
    yield* stream;
    return;
  }
  const { default: progress } = await import('cli-progress');
  const format = totalBytes === undefined ? `${label} {size}` : `${label} {bar} {percentage}% {size}`;
  const bar = new progress.SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, fps: 10 },
    progress.Presets.shades_classic,
  );
  bar.start(totalBytes ?? Number.MAX_SAFE_INTEGER, 0, { size: humanSize(0) });
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += chunk.length;
      bar.update(bytes, { size: humanSize(bytes) });
      yield chunk;
    }
  } finally {
    bar.stop();
  }
}

/** Prints Docker's progress messages as lines; of the counting ones only what changed. */
export async function printProgress(messages: AsyncIterable<Progress>, write: (line: string) => void): Promise<void> {
  const print = progressPrinter(write);
  for await (const message of messages) print(message);
}

/** The same for messages that are handed over one by one. */
export function progressPrinter(write: (line: string) => void): (message: Progress) => void {
  const last = new Map<string, string>();
  return ({ id, status, stream }) => {
    if (stream !== undefined) write(stream.replace(/\r?\n$/, ''));
    if (status === undefined || (id !== undefined && last.get(id) === status)) return;
    if (id !== undefined) last.set(id, status);
    write(id === undefined ? status : `${id}: ${status}`);
  };
}
