import type { LogLine, LogQuery } from '@gantry/sdk/engine';
import { compareLogTime, type Entry } from '@gantry/sdk/log';

/** Entries as clients see them, with their newlines, in one piece of memory. */
export function toLines(entries: readonly Entry[]): readonly LogLine[] {
  let bytes = 0;
  for (const { line, partial } of entries) bytes += line.length + (partial ? 0 : 1);
  const memory = Buffer.allocUnsafeSlow(bytes);
  const lines: LogLine[] = [];
  let at = 0;
  for (const { time, source, line, partial } of entries) {
    const start = at;
    memory.set(line, at);
    at += line.length;
    if (!partial) memory[at++] = 10;
    lines.push({ source, time, data: memory.subarray(start, at) });
  }
  return lines;
}

/** Which entries a query wants; `tail` is not its business. */
export function wanted({ stdout, stderr, since, until }: LogQuery): (entry: Entry) => boolean {
  return ({ source, time }) =>
    (source === 'stdout' ? stdout : stderr) &&
    (since === undefined || compareLogTime(time, since) >= 0) &&
    (until === undefined || compareLogTime(time, until) <= 0);
}
