import type { LogLine, LogQuery } from '@gantry/sdk/engine';
import { compareLogTime, type Entry } from '@gantry/sdk/log';

/** Entries as clients see them. */
export function toLines(entries: readonly Entry[]): readonly LogLine[] {
  return entries.map((entry) => new Line(entry));
}

/** Which entries a query wants; `tail` is not its business. */
export function wanted({ stdout, stderr, since, until }: LogQuery): (entry: Entry) => boolean {
  return ({ source, time }) =>
    (source === 'stdout' ? stdout : stderr) &&
    (since === undefined || compareLogTime(time, since) >= 0) &&
    (until === undefined || compareLogTime(time, until) <= 0);
}

/** Copied only for who asks for its data in one piece: a million lines more in memory are felt. */
class Line implements LogLine {
  readonly source: Entry['source'];
  readonly time: Entry['time'];
  readonly text: Buffer;
  readonly isWhole: boolean;

  constructor({ source, time, line, partial }: Entry) {
    this.source = source;
    this.time = time;
    this.text = line;
    this.isWhole = !partial;
  }

  get data(): Buffer {
    return this.isWhole ? Buffer.concat([this.text, newline]) : this.text;
  }
}

const newline = Buffer.from('\n');
