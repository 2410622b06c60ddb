import { declare } from '../calls.ts';
import { checked } from '../errno.ts';
import type { Interest } from './watch.ts';

/** What koffi's own handle of libuv's epoll offers, as far as watches need it. */
export interface PollHandle {
  start(interest: Interest, ready: (status: unknown) => void): void;
  stop(): void;
  close(): void;
  unref(): void;
}

/**
 * The same for worker threads, by poll(2) every few milliseconds: when a worker is terminated, libuv still calls back for descriptors that are ready, and koffi, which may
 * not call JavaScript any more, then aborts the whole process. A timer ends with its thread. The descriptor becomes non-blocking, as libuv makes it.
 */
export function pollInTurns(descriptor: number, interest: Interest, ready: (status: unknown) => void): PollHandle {
  const flags = checked(callFcntl(descriptor, getFlags, 0), 'fcntl F_GETFL');
  checked(callFcntl(descriptor, setFlags, flags | nonBlocking), 'fcntl F_SETFL');
  const entry: Entry = { descriptor, events: 0, ready, isIdle: false };
  const handle: PollHandle = {
    start: (wanted, callback) => {
      entry.events = eventsOf(wanted);
      entry.ready = callback;
      entries.add(entry);
      keepTime();
    },
    stop: () => {
      entries.delete(entry);
      keepTime();
    },
    close: () => handle.stop(),
    unref: () => {
      entry.isIdle = true;
      keepTime();
    },
  };
  handle.start(interest, ready);
  return handle;
}

interface Entry {
  readonly descriptor: number;
  events: number;
  ready: (status: unknown) => void;
  /** It keeps nobody alive. */
  isIdle: boolean;
}

const everyMs = 3;
const entries = new Set<Entry>();
let timer: NodeJS.Timeout | undefined;

function keepTime(): void {
  if (entries.size === 0) {
    clearInterval(timer);
    timer = undefined;
    return;
  }
  timer ??= setInterval(look, everyMs);
  if ([...entries].every(({ isIdle }) => isIdle)) timer.unref();
  else timer.ref();
}

/** F_GETFL, F_SETFL and O_NONBLOCK of fcntl(2). */
const [getFlags, setFlags, nonBlocking] = [3, 4, 0o4000];
const callFcntl = declare<(file: number, command: number, value: number) => number>('fcntl', 'int', ['int', 'int', 'int']);

const sizeofPollfd = 8;
const callPoll = declare<(list: Uint8Array, count: number, timeoutMs: number) => number>('poll', 'int', ['void *', 'ulong', 'int']);

/** struct pollfd: the descriptor, what is wanted, what is. */
function look(): void {
  const asked = [...entries];
  const list = Buffer.alloc(asked.length * sizeofPollfd);
  for (const [at, { descriptor, events }] of asked.entries()) {
    list.writeInt32LE(descriptor, at * sizeofPollfd);
    list.writeInt16LE(events, at * sizeofPollfd + 4);
  }
  if (callPoll(list, asked.length, 0) <= 0) return;
  for (const [at, entry] of asked.entries()) {
    const found = list.readInt16LE(at * sizeofPollfd + 6);
    if (found === 0 || !entries.has(entry)) continue;
    const hasFailed = (found & (error | invalid)) !== 0;
    if (hasFailed) entries.delete(entry);
    entry.ready(hasFailed ? -1 : 0);
  }
  keepTime();
}

const input = 1;
const output = 4;
const error = 8;
const invalid = 32;

function eventsOf({ readable = false, writable = false }: Interest): number {
  return (readable ? input : 0) | (writable ? output : 0);
}
