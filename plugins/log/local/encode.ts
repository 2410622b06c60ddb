import { type Encoded, type Entry, LinePieces, type LogEncoder } from '@gantry/sdk/log';
import { encodeEntry } from '@gantry/sdk/legacy/wire';

const sizeBytes = 4;
/** More than an entry takes beside its text, with the number of its piece. */
const mostBeside = 192;

/** Turns entries into frames: [u32, big endian][protobuf LogEntry][the same u32], so that a file can be read backwards. */
export class Encoder implements LogEncoder {
  readonly #pieces = new LinePieces();
  readonly #heads: Record<Entry['source'], Head> = { stdout: noHead, stderr: noHead };

  encode(entries: readonly Entry[], first: number, maxBytes: number): Encoded {
    const memory = Buffer.allocUnsafe(entries.reduce((sum, { line }) => sum + line.length + mostBeside, 0));
    let [at, count] = [0, 0];
    for (let index = first; index < entries.length; index += 1) {
      const entry = entries[index];
      if (entry === undefined) break;
      const piece = this.#pieces.next(entry);
      at = piece === undefined ? putWhole(memory, at, this.#headOf(entry), entry.line) : putFramed(memory, at, encodeEntry(entry, piece));
      count += 1;
      // One more than fits is not worth a look ahead, which would number a piece twice.
      if (at >= maxBytes) break;
    }
    return { bytes: memory.subarray(0, at), count, [Symbol.dispose]: () => {} };
  }

  /** What is in front of the length of an entry's text: most entries have it from the one before, whose time is the same. */
  #headOf(entry: Entry): Buffer {
    const { source, time } = entry;
    const known = this.#heads[source];
    if (known.seconds === time.seconds && known.nanos === time.nanos) return known.bytes;
    const bytes = encodeEntry({ ...entry, line: noText }, undefined).subarray(sizeBytes, -1);
    this.#heads[source] = { seconds: time.seconds, nanos: time.nanos, bytes };
    return bytes;
  }
}

interface Head {
  readonly seconds: number;
  readonly nanos: number;
  readonly bytes: Buffer;
}

const noText = Buffer.alloc(0);
const noHead: Head = { seconds: 0, nanos: -1, bytes: noText };

function putWhole(memory: Buffer, start: number, head: Buffer, line: Uint8Array): number {
  let at = start + sizeBytes;
  memory.set(head, at);
  at += head.length;
  let left = line.length;
  for (; left > 0x7f; left >>>= 7) memory[at++] = (left & 0x7f) | 0x80;
  memory[at++] = left;
  memory.set(line, at);
  at += line.length;
  const size = at - start - sizeBytes;
  memory.writeUInt32BE(size, start);
  return memory.writeUInt32BE(size, at);
}

/** The size once more behind what has it in front. */
function putFramed(memory: Buffer, at: number, sized: Buffer): number {
  memory.set(sized, at);
  memory.set(sized.subarray(0, sizeBytes), at + sized.length);
  return at + sized.length + sizeBytes;
}
