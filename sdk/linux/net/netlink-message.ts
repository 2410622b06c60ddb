import { endianness } from 'node:os';

/** Messages of netlink(7): a header of 16 bytes, a fixed part, attributes. All numbers are in this machine's byte order, which is little-endian wherever Node and we run. */
if (endianness() !== 'LE') throw new Error('netlink messages are written for little-endian machines only');

/** What is asked of the kernel, and how to call it in an error. */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_*, besides REQUEST and ACK. */
  readonly flags?: number;
  readonly body: Buffer;
  /** For errors: `link add veth0`. */
  readonly doing: string;
}

/** Writes a fixed part and attributes into one growing buffer. */
export class MessageWriter {
  #bytes: Buffer;
  #length: number;

  constructor(fixed: Buffer) {
    this.#bytes = Buffer.alloc(512);
    fixed.copy(this.#bytes);
    this.#length = align(fixed.length);
  }

  bytes(type: number, value: Uint8Array): this {
    const start = this.#reserve(4 + value.length);
    this.#bytes.writeUInt16LE(4 + value.length, start);
    this.#bytes.writeUInt16LE(type, start + 2);
    this.#bytes.set(value, start + 4);
    return this;
  }

  u8(type: number, value: number): this {
    return this.bytes(type, Buffer.of(value));
  }

  u16(type: number, value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(value);
    return this.bytes(type, bytes);
  }

  /** Some attributes are in network order. */
  u16be(type: number, value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(value);
    return this.bytes(type, bytes);
  }

  u32(type: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return this.bytes(type, bytes);
  }

  text(type: number, value: string): this {
    return this.bytes(type, Buffer.from(`${value}\0`));
  }

  /** Attributes inside an attribute, after a fixed part if there is one. */
  nested(type: number, write: (inside: MessageWriter) => void, fixed: Buffer = Buffer.alloc(0)): this {
    const inside = new MessageWriter(fixed);
    write(inside);
    return this.bytes(type, inside.finish());
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(lengthBytes: number): number {
    const start = this.#length;
    this.#length += align(lengthBytes);
    if (this.#length > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#length)]);
    return start;
  }
}

/** The attributes from an offset on, by type; of several of one type the last. Stops at what is cut. */
export function readAttributes(bytes: Buffer, offset = 0): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = offset; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

/** A text attribute, without its NUL. */
export function attributeText(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** A number attribute of 1, 2 or 4 bytes. */
export function attributeNumber(bytes: Buffer | undefined): number | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes.readUIntLE(0, Math.min(bytes.length, 4));
}

export function align(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}
