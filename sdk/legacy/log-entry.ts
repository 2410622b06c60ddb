import { internal } from '../errors.ts';
import type { Entry } from '../log/contract.ts';
import type { Piece } from '../log/pieces.ts';

/** Longer than any line that Docker splits (16 KiB) and most that it does not. */
const longestEntry = 4 * 1024 * 1024;

/**
 * One entry of Docker's stream: [u32, big endian][protobuf LogEntry]; `piece` when it is a part of a line. LogEntry: source = 1, time_nano = 2, line = 3,
 * partial = 4, partial_log_metadata = 5 { last = 1, id = 2, ordinal = 3 }.
 */
export function encodeEntry({ time, source, line }: Entry, piece: Piece | undefined): Buffer {
  const nanoseconds = BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos);
  const parts = [bytesField(1, Buffer.from(source)), numberField(2, nanoseconds), bytesField(3, line)];
  if (piece !== undefined) {
    const metadata = [numberField(1, piece.isLast ? 1n : 0n), bytesField(2, Buffer.from(piece.id)), numberField(3, BigInt(piece.ordinal))];
    parts.push(numberField(4, 1n), bytesField(5, Buffer.concat(metadata)));
  }
  const message = Buffer.concat(parts);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(message.length);
  return Buffer.concat([size, message]);
}

/** Entries out of bytes as they come, a list for each chunk that completes some. What is no such stream is `internal`. */
export async function* decodeEntries(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Entry[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const entries: Entry[] = [];
    while (rest.length >= 4) {
      const size = rest.readUInt32BE();
      if (size > longestEntry) throw internal(`a log entry of ${size} bytes; at most ${longestEntry}`);
      if (rest.length < 4 + size) break;
      entries.push(decodeEntry(rest.subarray(4, 4 + size)));
      rest = rest.subarray(4 + size);
    }
    if (entries.length > 0) yield entries;
  }
  if (rest.length > 0) throw internal('the log entries end in the middle of one');
}

/** One LogEntry. Docker's readers end a whole line with its newline, which goes. */
export function decodeEntry(message: Buffer): Entry {
  const fields = readFields(message);
  const nanoseconds = BigInt.asIntN(64, numberOf(fields, 2));
  const bytes = bytesOf(fields, 3);
  const isWhole = bytes.at(-1) === 0x0a;
  const isLast = numberOf(readFields(bytesOf(fields, 5)), 1) !== 0n;
  const [seconds, nanos] = [nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n];
  return {
    time: nanos < 0n ? { seconds: Number(seconds) - 1, nanos: Number(nanos) + 1e9 } : { seconds: Number(seconds), nanos: Number(nanos) },
    source: bytesOf(fields, 1).toString() === 'stderr' ? 'stderr' : 'stdout',
    line: isWhole ? bytes.subarray(0, -1) : bytes,
    partial: numberOf(fields, 4) !== 0n && !isWhole && !isLast,
  };
}

type Fields = ReadonlyMap<number, bigint | Buffer>;

function numberOf(fields: Fields, number: number): bigint {
  const value = fields.get(number);
  return typeof value === 'bigint' ? value : 0n;
}

function bytesOf(fields: Fields, number: number): Buffer {
  const value = fields.get(number);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(BigInt((number << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}

function numberField(number: number, value: bigint): Buffer {
  return Buffer.concat([varint(BigInt(number << 3)), varint(BigInt.asUintN(64, value))]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

/** The last value of each field; those of other wire types than we know are skipped over. */
function readFields(message: Buffer): Fields {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed();
  };
  const bytes = (length: number): Buffer => {
    if (length > message.length - at) throw malformed();
    return message.subarray(at, (at += length));
  };
  while (at < message.length) {
    const tag = Number(number());
    const wireType = tag & 7;
    if (wireType === 0) fields.set(tag >>> 3, number());
    else if (wireType === 2) fields.set(tag >>> 3, bytes(Number(number())));
    else if (wireType === 1) bytes(8);
    else if (wireType === 5) bytes(4);
    else throw malformed();
  }
  return fields;
}

function malformed() {
  return internal('a log entry that is no protobuf message');
}
