import { createHash } from 'node:crypto';
import { dataLoss, GantryError, invalidArgument, unavailable } from '@gantry/sdk';
import type { Descriptor, Place } from '@gantry/sdk/transport';
import { isDigest } from './manifests.ts';
import type { Answer, Registry } from './registry.ts';

export interface BlobPart {
  readonly descriptor: Descriptor;
  readonly offset: number;
}

/** The bytes of a blob from `offset` on, as `streamOf` checks them. */
export async function* readBlob(
  registry: Registry,
  { descriptor, offset, ...place }: Place & BlobPart,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  const { digest, size } = checkedDescriptor(descriptor);
  const about = `${place.host}/${place.repository}: blob ${digest}`;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > size) throw invalidArgument(`${about}: no offset ${offset} in ${size} bytes`);
  if (offset > 0 && offset === size) return;
  const answer = await begun(() =>
    registry.ask(
      {
        place,
        access: 'pull',
        method: 'GET',
        at: `blobs/${digest}`,
        what: `blob ${digest}`,
        headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
        wanted: offset === 0 ? [200] : [200, 206],
      },
      signal,
    ),
  );
  yield* streamOf(answer, { descriptor, offset, about });
}

/** What an answer holds of a blob from `offset` on, not one byte more or less than there should be. Whoever stores it hashes it. */
export async function* streamOf(
  answer: Answer,
  { descriptor: { size }, offset, about }: BlobPart & { readonly about: string },
): AsyncIterable<Buffer> {
  let at = startOf(answer, { offset, size, about });
  for await (const chunk of answer.body()) {
    if (at + chunk.length > size) throw dataLoss(`${about}: more than the ${size} bytes it should have`);
    const fresh = chunk.subarray(Math.max(0, offset - at));
    at += chunk.length;
    if (fresh.length > 0) yield fresh;
  }
  if (at < size) throw unavailable(`${about}: it ended after ${at} of ${size} bytes`, { reason: 'BLOB_INTERRUPTED' });
}

/** The same, hashed on the way: for what a mirror sends, which is left out when that is something else. */
export async function* hashed(chunks: AsyncIterable<Buffer>, { descriptor, offset }: BlobPart): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (offset === 0 && found !== descriptor.digest) throw dataLoss(`blob ${descriptor.digest}: its bytes have digest ${found}`);
}

/**
 * An answer that did not come is a blob that broke off: whoever reads comes back. What was tried often enough already, or was refused, is not
 * to be tried as often again.
 */
async function begun(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!GantryError.is(error) || error.code !== 'unavailable' || error.reason !== undefined || 'status' in error.facts) throw error;
    const { hint, facts } = error;
    throw unavailable(error.message, { hint, facts, cause: error, reason: 'BLOB_INTERRUPTED' });
  }
}

/** Where in the blob the answer begins; a registry may ignore that a part was asked for. */
function startOf(
  { message }: Answer,
  { offset, size, about }: { readonly offset: number; readonly size: number; readonly about: string },
): number {
  const fail = (error: GantryError): never => {
    message.destroy();
    throw error;
  };
  const { 'content-encoding': encoding = 'identity', 'content-range': range = '', 'content-length': length } = message.headers;
  if (encoding !== 'identity') fail(unavailable(`${about}: the registry compressed it, which nobody asked for`));
  const start = message.statusCode === 206 ? offset : 0;
  if (message.statusCode === 206 && !range.startsWith(`bytes ${offset}-`)) {
    fail(unavailable(`${about}: asked for bytes from ${offset} on, the registry sent ${JSON.stringify(range.slice(0, 100))}`));
  }
  if (length !== undefined && Number(length) > size - start)
    fail(dataLoss(`${about}: ${length} bytes come, it should have ${size - start}`));
  return start;
}

export async function hasBlob(
  registry: Registry,
  { digest, ...place }: Place & { readonly digest: string },
  signal: AbortSignal,
): Promise<boolean> {
  if (!isDigest(digest)) throw invalidArgument(`invalid digest ${JSON.stringify(digest)}`);
  const wish = { place, access: 'pull', method: 'HEAD', at: `blobs/${digest}`, what: `blob ${digest}`, wanted: [200, 404] } as const;
  const { message } = await registry.ask(wish, signal);
  message.resume();
  return message.statusCode === 200;
}

export function checkedDescriptor(descriptor: Descriptor): Descriptor {
  if (!isDigest(descriptor.digest)) throw invalidArgument(`invalid digest ${JSON.stringify(descriptor.digest.slice(0, 100))}`);
  if (!Number.isSafeInteger(descriptor.size) || descriptor.size < 0)
    throw invalidArgument(`blob ${descriptor.digest}: no size ${descriptor.size}`);
  return descriptor;
}
