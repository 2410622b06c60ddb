import type { OutputChunk } from '@gantry/sdk/engine';

export const frameHeaderBytes = 8;

/** Writes the eight bytes that go before a payload: the stream, three zeros, the length in big-endian. */
export function putFrameHeader(target: Buffer, offset: number, source: OutputChunk['source'], length: number): number {
  target.writeUInt32LE(source === 'stdout' ? 1 : 2, offset);
  return target.writeUInt32BE(length, offset + 4);
}

export function frameHeader(source: OutputChunk['source'], length: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  putFrameHeader(header, 0, source, length);
  return header;
}
