import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Abortable, type ErrorCode, type ErrorFacts, GantryError, internal, unavailable } from '@gantry/sdk';
import { leaveThread, mayHang } from '../../execute/index.ts';
import { look, type Looking, type Seen } from './look.ts';
import { type Opened, openFolderOrFile } from './open.ts';

/** What the thread is to do. */
export type Task =
  | { readonly kind: 'look'; readonly looking: Looking }
  | { readonly kind: 'open'; readonly source: string; readonly subpath: string }
  | { readonly kind: 'clone'; readonly pid: number; readonly path: string };
export type Answer =
  | { readonly seen: Seen }
  | { readonly opened: Opened }
  | { readonly failed: Pick<ErrorFacts, 'hint' | 'reason'> & { readonly code: ErrorCode; readonly message: string } };

/** Sent before the answer, by a thread that goes to the files now: until then it loads what it needs, which a busy machine takes long for. */
export const began = 'began';

const answerMs = 10_000;
/** File systems that keep a thread: another would be kept as well. */
const silent = new Set<string>();

/**
 * Looks into a container's files. On this machine's own disks that takes microseconds and is done here; where a program or a server has to
 * answer, by a thread: `unavailable` when none does for ten seconds, and then at once until the first was answered. Abort gives it up.
 */
export async function lookInside(looking: Looking, options: Abortable = {}): Promise<Seen> {
  if (!mayHang(looking.rootfs)) return look(looking);
  const answer = await aside(looking.rootfs, { kind: 'look', looking }, options);
  if ('seen' in answer) return answer.seen;
  throw internal('a thread answered something else');
}

/** Opens a path inside a folder, in the same way. */
export async function openInside(source: string, subpath: string, options: Abortable = {}): Promise<Opened> {
  if (!mayHang(source)) return openFolderOrFile(source, subpath);
  const answer = await aside(source, { kind: 'open', source, subpath }, options);
  if ('opened' in answer) return answer.opened;
  throw internal('a thread answered something else');
}

/**
 * A copy of the mount at a path as a process sees it, attached nowhere yet. The kernel copies mounts of the caller's own mount namespace
 * alone: a thread goes there, and only a thread of its own can.
 */
export async function cloneMountOf(pid: number, path: string, options: Abortable = {}): Promise<Opened> {
  const answer = await aside(`/proc/${pid}`, { kind: 'clone', pid, path }, options);
  if ('opened' in answer) return answer.opened;
  throw internal('a thread answered something else');
}

async function aside(root: string, task: Task, { signal }: Abortable): Promise<Exclude<Answer, { readonly failed: unknown }>> {
  signal?.throwIfAborted();
  if (silent.has(root)) throw silence(root);
  const thread = new Worker(new URL('main.ts', import.meta.url), {
    name: 'inside',
    stdin: false,
    trackUnmanagedFds: false,
    workerData: task,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let isWanted = true;
  let timer: NodeJS.Timeout | undefined;
  thread.on('message', (answer: Answer | typeof began) => {
    if (answer === began) {
      if (isWanted) timer = setTimeout(() => giveUp(silence(root)), answerMs);
      return;
    }
    resolve(answer);
    if (!isWanted && 'opened' in answer) closeSync(answer.opened.descriptor);
  });
  thread.on('error', reject);
  thread.on('exit', () => reject(internal('the thread that looked into a container ended')));
  const giveUp = (reason: unknown): void => {
    isWanted = false;
    silent.add(root);
    thread.once('exit', () => silent.delete(root));
    leaveThread(thread);
    reject(reason);
  };
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await promise;
    if (!('failed' in answer)) return answer;
    const { code, message, ...facts } = answer.failed;
    throw new GantryError(code, message, facts);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function silence(root: string): GantryError {
  return unavailable(`the file system at ${root} does not answer`, { hint: 'the program or server behind it hangs' });
}
