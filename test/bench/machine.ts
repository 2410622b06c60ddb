import { globSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, for ten seconds at most, until nobody else keeps the processors busy. */
export async function quiet(): Promise<void> {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    const before = processorTimes();
    await sleep(250);
    const after = processorTimes();
    if (1 - (after.idle - before.idle) / (after.all - before.all) < 0.3) return;
  }
}

export interface Footprint {
  /** Resident memory, shared pages counted for each process. */
  readonly residentMB: number;
  /** Resident memory, shared pages divided among those that share them. */
  readonly proportionalMB: number;
  readonly processes: number;
}

/** Everything in this pid namespace except process 1, ourselves, and what runs inside containers. */
export function engineFootprint(): Footprint {
  const ours = readlinkSync('/proc/self/ns/pid');
  let [resident, proportional, processes] = [0, 0, 0];
  for (const status of globSync('/proc/[0-9]*/smaps_rollup')) {
    const folder = dirname(status);
    const pid = Number(folder.slice('/proc/'.length));
    const memory = attempt(() => (readlinkSync(`${folder}/ns/pid`) === ours ? readFileSync(status, 'utf8') : ''));
    if (pid === 1 || pid === process.pid || memory === '') continue;
    resident += field(memory, 'Rss');
    proportional += field(memory, 'Pss');
    processes += 1;
  }
  return { residentMB: resident / 1000, proportionalMB: proportional / 1000, processes };
}

/** The peak from now on; the answer reads it (proc(5): writing 5 to clear_refs resets VmHWM). */
export function watchPeak(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return () => field(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmHWM') / 1000;
}

function processorTimes(): { readonly all: number; readonly idle: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const times = line.trim().split(/\s+/).slice(1).map(Number);
  return { all: times.reduce((sum, time) => sum + time, 0), idle: (times[3] ?? 0) + (times[4] ?? 0) };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return ''; // gone meanwhile, or a kernel thread
  }
}
