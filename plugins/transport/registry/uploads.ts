import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataLoss, GantryError, unavailable } from '@gantry/sdk';
import type { Place } from '@gantry/sdk/transport';
import { checkedDescriptor } from './blobs.ts';
import { type Answer, continuation, type Registry } from './registry.ts';

export interface BlobToStore extends Place {
  readonly digest: string;
  readonly size: number;
  /** From its beginning, each time. */
  readonly content: () => AsyncIterable<Buffer>;
  /** Another repository of the registry, which has it. */
  readonly mountFrom?: string | undefined;
}

/** Where an upload goes on, and how much of it the registry has. */
interface Upload {
  readonly at: URL;
  readonly offset: number;
}

/**
 * Announces a blob, then sends it as a whole (OCI distribution, "POST then PUT"). Where another repository has it the registry is asked to
 * take it from there, which sends nothing. An upload that broke off goes on after what the registry kept, or begins anew.
 */
export async function storeBlob(
  registry: Registry,
  { digest, size, content, mountFrom, ...place }: BlobToStore,
  signal: AbortSignal,
): Promise<{ readonly mountedFrom?: string | undefined }> {
  checkedDescriptor({ digest, size, mediaType: '' });
  const blob = { place, digest, size, content };
  const begun = await begin(registry, blob, { from: mountFrom, signal });
  if (begun === 'mounted') return { mountedFrom: mountFrom };
  await send(registry, blob, { begun, signal });
  return {};
}

interface Blob extends Pick<BlobToStore, 'digest' | 'size' | 'content'> {
  readonly place: Place;
}

/** A registry that cannot, or will not, mount begins an upload instead. */
async function begin(
  registry: Registry,
  { place, digest }: Blob,
  { from, signal }: { readonly from?: string | undefined; readonly signal: AbortSignal },
): Promise<Upload | 'mounted'> {
  const mount = from === undefined ? '' : `?${new URLSearchParams({ mount: digest, from }).toString()}`;
  const answer = await registry.ask(
    {
      place,
      access: 'pull,push',
      ...(from !== undefined && { alsoFrom: from }),
      method: 'POST',
      at: `blobs/uploads/${mount}`,
      what: `blob ${digest}`,
      body: Buffer.alloc(0),
      wanted: from === undefined ? [202] : [201, 202],
    },
    signal,
  );
  answer.message.resume();
  return answer.message.statusCode === 201 ? 'mounted' : { at: continuation(answer, place), offset: 0 };
}

/** What is said of an upload that the registry no longer has, or has less of. */
const lost = new Set([404, 416]);

async function send(
  registry: Registry,
  blob: Blob,
  { begun, signal }: { readonly begun: Upload; readonly signal: AbortSignal },
): Promise<void> {
  let upload = begun;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await put(registry, blob, { upload, signal });
    } catch (error) {
      signal.throwIfAborted();
      const isLost = GantryError.is(error) && lost.has(Number(error.facts['status'])) && attempt < registry.attempts;
      const waitMs = isLost ? 0 : registry.pauseBefore(error, attempt);
      if (waitMs === undefined) throw error;
      await sleep(waitMs, undefined, { signal });
      const kept = isLost ? undefined : await resume(registry, blob, { upload, signal });
      upload = kept ?? (await beginAgain(registry, blob, signal));
    }
  }
}

async function put(
  registry: Registry,
  { place, digest, size, content }: Blob,
  { upload: { at, offset }, signal }: { readonly upload: Upload; readonly signal: AbortSignal },
): Promise<void> {
  const url = new URL(at);
  url.searchParams.set('digest', digest);
  const range = offset === 0 || offset === size ? {} : { 'content-range': `${offset}-${size - 1}` };
  const ended = await registry.ask(
    {
      place,
      access: 'pull,push',
      method: 'PUT',
      at: url,
      what: `blob ${digest}`,
      headers: { 'content-type': 'application/octet-stream', ...range },
      body: { size: size - offset, content: verified(content(), { digest, size, offset }) },
      wanted: [200, 201, 202, 204],
    },
    signal,
  );
  ended.message.resume();
}

/** What the registry kept of an upload that broke off; undefined when it has forgotten it. */
async function resume(
  registry: Registry,
  { place, digest, size }: Blob,
  { upload: { at }, signal }: { readonly upload: Upload; readonly signal: AbortSignal },
): Promise<Upload | undefined> {
  const wanted = [200, 202, 204, 404, 405, 416];
  const answer: Answer = await registry.ask({ place, access: 'pull,push', method: 'GET', at, what: `blob ${digest}`, wanted }, signal);
  answer.message.resume();
  const { statusCode = 0, headers } = answer.message;
  if (statusCode >= 400) return undefined;
  const [, last = ''] = /^(?:bytes=)?0-(\d{1,15})$/.exec(headers.range ?? '') ?? [];
  const offset = last === '' || Number(last) === 0 ? 0 : Number(last) + 1;
  if (offset > size) return undefined;
  return { at: headers.location === undefined ? at : continuation(answer, place), offset };
}

async function beginAgain(registry: Registry, blob: Blob, signal: AbortSignal): Promise<Upload> {
  const begun = await begin(registry, blob, { signal });
  if (begun === 'mounted') throw unavailable(`${blob.place.host}/${blob.place.repository}: the registry mounted what nobody asked it to`);
  return begun;
}

/** What we have on the disk may be damaged too: all of it is read, and the last bytes do not go before all were seen to be right. */
async function* verified(
  content: AsyncIterable<Buffer>,
  { digest, size, offset }: { readonly digest: string; readonly size: number; readonly offset: number },
): AsyncIterable<Buffer> {
  const hash = createHash('sha256');
  let read = 0;
  let held: Buffer | undefined;
  for await (const chunk of content) {
    hash.update(chunk);
    const fresh = chunk.subarray(Math.max(0, offset - read));
    read += chunk.length;
    if (read > size) break;
    if (fresh.length === 0) continue;
    if (held !== undefined) yield held;
    held = Buffer.from(fresh);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (read !== size || found !== digest)
    throw dataLoss(`blob ${digest} of ${size} bytes: what there is to send has ${read} bytes and digest ${found}`);
  if (held !== undefined) yield held;
}
