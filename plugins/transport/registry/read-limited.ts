import { dataLoss } from '@gantry/sdk';

/** All of it, or `data_loss` when there is more than a document of this kind can have. */
export async function readLimited(chunks: AsyncIterable<Buffer>, maxBytes: number, what: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxBytes) throw dataLoss(`${what} sent more than ${maxBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
