import type { LogTime } from '@gantry/sdk/log';
import type { LogCursorDocument } from '../metadata/index.ts';
import type { PendingLine } from './cri-parser.ts';
import type { SpoolPosition } from './spool-reader.ts';

/** What a driver has acknowledged of one container's output. */
export interface Cursor {
  /** Grows when numbering had to start again because output was lost; part of the stream's name. */
  readonly epoch: number;
  /** Number of the last entry before `position`. */
  readonly seq: number;
  readonly position: SpoolPosition;
}

interface StoredLine {
  readonly seconds: number;
  readonly nanos: number;
  readonly text: string;
}

export const firstCursor: Cursor = { epoch: 1, seq: 0, position: { segment: 1, offset: 0, pending: {} } };

export function storeCursor({ epoch, seq, position }: Cursor): LogCursorDocument {
  const { segment, offset, pending, isDelivered = false } = position;
  const lines = Object.fromEntries(Object.entries(pending).map(([source, line]: [string, PendingLine]) => [source, storeLine(line)]));
  return { epoch, seq, segment, offset, ...(isDelivered ? { isDelivered } : {}), ...lines };
}

export function loadCursor(document: LogCursorDocument | undefined): Cursor {
  if (document === undefined) return firstCursor;
  const { epoch, seq, segment, offset, isDelivered } = document;
  const stdout = loadLine(document['stdout']);
  const stderr = loadLine(document['stderr']);
  return {
    epoch: Number(epoch),
    seq: Number(seq),
    position: {
      segment: Number(segment),
      offset: Number(offset),
      pending: { ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }) },
      ...(isDelivered === true ? { isDelivered } : {}),
    },
  };
}

function storeLine({ time, text }: PendingLine): StoredLine {
  return { ...time, text: text.toString('base64') };
}

function loadLine(value: unknown): PendingLine | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { seconds, nanos, text } = value as StoredLine;
  return { time: { seconds, nanos } satisfies LogTime, text: Buffer.from(text, 'base64') };
}
