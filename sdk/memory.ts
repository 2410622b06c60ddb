/** Smaller ones may be constants or parts of something larger, and are not worth it. */
const largeBytes = 16 * 1024;

/**
 * Gives back the memory of a chunk that nobody looks at any more, if it is a piece of its own. Left to the collector, the chunks of a big
 * body pile up until it walks the whole heap, again and again: a fifth of all work of loading an image.
 */
export function release(chunk: Buffer | string): void {
  if (typeof chunk === 'string' || chunk.length < largeBytes) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length) buffer.transfer(0);
}

/** The chunks for a reader that is done with each of them when it asks for the next. */
export async function* releasing(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const chunk of chunks) {
    yield chunk;
    release(chunk);
  }
}
