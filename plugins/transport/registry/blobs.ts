import { createHash } from 'node:crypto';
import { dataLoss, type GantryError, invalidArgument, unavailable } from '@gantry/sdk';
import type { Descriptor, Place } from '@gantry/sdk/transport';
import { isDigest } from './manifests.ts';
import { type Answer, continuation, type Registry } from './registry.ts';

/** The bytes of a blob from `offset` on: not one more than there should be, and read from the start, none that the digest does not cover. */
export async function* readBlob(
  registry: Registry,
  { descriptor, offset, ...place }: Place & { readonly descriptor: Descriptor; readonly offset: number },
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  const { digest, size } = checked(descriptor);
  const about = `${place.host}/${place.repository}: blob ${digest}`;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > size) throw invalidArgument(`${about}: no offset ${offset} in ${size} bytes`);
  if (offset > 0 && offset === size) return;
  const answer = await registry.ask(
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
  );
  const hash = createHash('sha256');
  let at = startOf(answer, { offset, size, about });
  for await (const chunk of answer.body()) {
    if (at + chunk.length > size) throw dataLoss(`${about}: more than the ${size} bytes it should have`);
    hash.update(chunk);
    const fresh = chunk.subarray(Math.max(0, offset - at));
    at += chunk.length;
    if (fresh.length > 0) yield fresh;
  }
  if (at < size) throw unavailable(`${about}: it ended after ${at} of ${size} bytes`, { reason: 'BLOB_INTERRUPTED' });
  const found = `sha256:${hash.digest('hex')}`;
  if (offset === 0 && found !== digest) throw dataLoss(`${about}: its bytes have digest ${found}`);
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

export interface BlobToStore extends Place {
  readonly digest: string;
  readonly size: number;
  readonly content: AsyncIterable<Buffer>;
}

/** Announces a blob, then sends it as a whole (OCI distribution, "POST then PUT"). */
export async function storeBlob(registry: Registry, { digest, size, content, ...place }: BlobToStore, signal: AbortSignal): Promise<void> {
  checked({ digest, size, mediaType: '' });
  const what = `blob ${digest}`;
  const begin = { place, access: 'pull,push', method: 'POST', at: 'blobs/uploads/', what, body: Buffer.alloc(0), wanted: [202] } as const;
  const begun = await registry.ask(begin, signal);
  begun.message.resume();
  const at = continuation(begun, place);
  at.searchParams.set('digest', digest);
  const ended = await registry.ask(
    {
      place,
      access: 'pull,push',
      method: 'PUT',
      at,
      what,
      headers: { 'content-type': 'application/octet-stream' },
      body: { size, content: verified(content, { digest, size }) },
      wanted: [200, 201, 202, 204],
    },
    signal,
  );
  ended.message.resume();
}

/** What we have on the disk may be damaged too; the last bytes do not go before all were seen to be right. */
async function* verified(
  content: AsyncIterable<Buffer>,
  { digest, size }: { readonly digest: string; readonly size: number },
): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  let sent = 0;
  let held: Buffer | undefined;
  for await (const chunk of content) {
    hash.update(chunk);
    sent += chunk.length;
    if (sent > size) break;
    if (held !== undefined) yield held;
    held = Buffer.from(chunk);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (sent !== size || found !== digest)
    throw dataLoss(`blob ${digest} of ${size} bytes: what there is to send has ${sent} bytes and digest ${found}`);
  if (held !== undefined) yield held;
}

function checked(descriptor: Descriptor): Descriptor {
  if (!isDigest(descriptor.digest)) throw invalidArgument(`invalid digest ${JSON.stringify(descriptor.digest.slice(0, 100))}`);
  if (!Number.isSafeInteger(descriptor.size) || descriptor.size < 0)
    throw invalidArgument(`blob ${descriptor.digest}: no size ${descriptor.size}`);
  return descriptor;
}
