import type { Writable } from 'node:stream';
import { invalidArgument } from '@gantry/sdk/errors';
import type { Hijacked } from '@gantry/sdk/client';
import { DetachDetector, defaultDetachKeys, parseDetachKeys } from './detach-keys.ts';

export interface SessionOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly detachKeys?: string | undefined;
  /** Which outputs to show; both unless given. */
  readonly stdout?: boolean;
  readonly stderr?: boolean;
}

/** Why it ended: the process closed its output, or the user typed the detach keys. */
export type SessionEnd = 'ended' | 'detached';

/** Connects this terminal with a process until its output ends or the user detaches. The terminal is put back as it was, also on failure. */
export async function runSession(
  connection: Hijacked,
  { tty, stdin, detachKeys, stdout = true, stderr = true }: SessionOptions,
): Promise<SessionEnd> {
  using _input = stdin ? takeInput({ raw: tty }) : undefined;
  const detached = Promise.withResolvers<SessionEnd>();
  if (stdin) {
    const detector = tty ? new DetachDetector(parseDetachKeys(detachKeys ?? defaultDetachKeys)) : undefined;
    sendInput(connection, detector, () => detached.resolve('detached')).catch(() => connection.end());
  }
  const output = showOutput(connection, { tty, stdout, stderr });
  try {
    return await Promise.race([output, detached.promise]);
  } finally {
    await connection[Symbol.asyncDispose]();
    output.catch(() => undefined);
  }
}

/** Refuses what cannot work: a terminal in the container needs one here. */
export function checkTerminal({ tty, stdin }: { readonly tty: boolean; readonly stdin: boolean }): void {
  if (tty && stdin && !process.stdin.isTTY)
    throw invalidArgument('the input device is not a terminal', { hint: 'leave out -t, or run it in a terminal' });
}

async function sendInput(connection: Hijacked, detector: DetachDetector | undefined, onDetach: () => void): Promise<void> {
  for await (const typed of process.stdin as AsyncIterable<Buffer>) {
    const { send, detached } = detector?.push(typed) ?? { send: typed, detached: false };
    if (send.length > 0) await connection.write(send);
    if (detached) return onDetach();
  }
  connection.end();
}

async function showOutput(
  connection: Hijacked,
  { tty, stdout, stderr }: { tty: boolean; stdout: boolean; stderr: boolean },
): Promise<SessionEnd> {
  for await (const { source, data } of connection.output({ tty })) {
    if (source === 'stdout' ? stdout : stderr) await writeAll(source === 'stdout' ? process.stdout : process.stderr, data);
  }
  return 'ended';
}

/** Writes, and waits when the reader is slower than we are. Where nobody reads any more, nothing is written and nothing fails. */
export async function writeAll(stream: Writable, data: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(data)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once('drain', resolve).once('close', resolve);
  await promise;
  stream.off('drain', resolve).off('close', resolve);
}

/** Keys arrive one by one when raw. Disposing puts the terminal back and stops reading, which would keep this process alive. */
function takeInput({ raw }: { readonly raw: boolean }): Disposable {
  const isRaw = raw && process.stdin.isTTY;
  const restore = (): void => {
    if (isRaw) process.stdin.setRawMode(false);
  };
  if (isRaw) process.stdin.setRawMode(true);
  process.once('exit', restore);
  return {
    [Symbol.dispose]: () => {
      process.off('exit', restore);
      restore();
      process.stdin.destroy();
    },
  };
}
