import { randomUUID } from 'node:crypto';
import { decodeMulti, encode, ExtData } from '@msgpack/msgpack';
import type { AuthoredEntry } from '@gantry/sdk/author';
import { type ContainerInfo, LinePieces, type LogTime } from '@gantry/sdk/log';

/** A batch as the forward protocol (v1, "Forward mode") has it, and the id by which the receiver acknowledges it. */
export interface Forwarded {
  readonly bytes: Uint8Array;
  readonly chunk: string | undefined;
}

/** One stream's entries into messages of the forward protocol. */
export class Forwarder {
  readonly #tag: string;
  readonly #common: Readonly<Record<string, string>>;
  readonly #extra: Readonly<Record<string, string>>;
  readonly #pieces = new LinePieces();

  constructor(tag: string, { id, name }: ContainerInfo, extra: Readonly<Record<string, string>>) {
    this.#tag = tag;
    this.#common = { container_id: id, container_name: `/${name.replace(/^\//, '')}` };
    this.#extra = extra;
  }

  forward(
    entries: readonly AuthoredEntry[],
    { isSubSecond, wantsAck }: { readonly isSubSecond: boolean; readonly wantsAck: boolean },
  ): Forwarded {
    const chunk = wantsAck ? Buffer.from(randomUUID()).toString('base64') : undefined;
    const events = entries.map((entry) => [isSubSecond ? eventTime(entry.at) : entry.at.seconds, this.#record(entry)]);
    const option = { size: events.length, ...(chunk === undefined ? {} : { chunk }) };
    return { bytes: encode([this.#tag, events, option]), chunk };
  }

  #record(entry: AuthoredEntry): Readonly<Record<string, string>> {
    const piece = this.#pieces.next(entry);
    return {
      ...this.#common,
      source: entry.source,
      log: entry.text,
      ...this.#extra,
      ...(piece === undefined
        ? {}
        : { partial_message: 'true', partial_id: piece.id, partial_ordinal: String(piece.ordinal), partial_last: String(piece.isLast) }),
    };
  }
}

/** Whether these bytes acknowledge a chunk; undefined when they are not whole yet. Throws when they say something else. */
export function acknowledges(answer: Uint8Array, chunk: string): true | undefined {
  let said: unknown;
  try {
    // The first value: what comes behind it answers nobody.
    said = decodeMulti(answer).next().value;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  if (typeof said === 'object' && said !== null && 'ack' in said && said.ack === chunk) return true;
  throw new Error(`the receiver acknowledged something else: ${JSON.stringify(said)?.slice(0, 200)}`);
}

/** EventTime: extension type 0, seconds and nanoseconds. */
function eventTime({ seconds, nanos }: LogTime): ExtData {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, seconds);
  bytes.setUint32(4, nanos);
  return new ExtData(0, new Uint8Array(bytes.buffer));
}
