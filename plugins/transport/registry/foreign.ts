import { forbidden, notFound } from '@gantry/sdk';
import type { Descriptor, Place } from '@gantry/sdk/transport';
import { type BlobPart, checkedDescriptor, streamOf } from './blobs.ts';
import { baseUrl, checkReferral, isAmong } from './hosts.ts';
import type { Registry } from './registry.ts';

/** A layer that its owner does not let everybody pass on: it lies where its descriptor says, not at the registry (OCI image-spec, layer.md). */
export function isForeign({ mediaType }: Descriptor): boolean {
  return /\.(?:foreign\.diff|layer\.nondistributable)\./.test(mediaType);
}

export interface ForeignRules {
  /** Registries whose images may have such layers. */
  readonly allowed: readonly string[];
  readonly insecure: readonly string[];
}

/**
 * The bytes of a foreign layer from `offset` on, from the first of its addresses that has them; nobody's credentials go there. `forbidden`
 * unless the registry is allowed to send us elsewhere: who writes a manifest would else choose what this machine asks.
 */
export async function* readForeign(
  registry: Registry,
  part: Place & BlobPart,
  { allowed, insecure, signal }: ForeignRules & { readonly signal: AbortSignal },
): AsyncIterable<Buffer> {
  const { descriptor, offset, auth: _kept, ...place } = part;
  const { digest, mediaType, urls = [] } = checkedDescriptor(descriptor);
  const base = baseUrl(place.host, insecure);
  const about = `${place.host}/${place.repository}: blob ${digest}`;
  if (!isAmong(base, allowed)) {
    throw forbidden(`${about} is a foreign layer (${mediaType}), which is not fetched`, {
      hint: 'an operator can allow it by naming the registry in foreignLayers, a setting of gantry.transport.registry',
    });
  }
  let failure: unknown = notFound(`${about}: its descriptor names no address`);
  for (const text of urls.slice(0, mostAddresses)) {
    const at = URL.parse(text);
    if (at === null) continue;
    checkReferral(base, at, 'keeps a layer at');
    const range = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const wanted = offset === 0 ? [200] : [200, 206];
    const wish = { place, access: 'pull', method: 'GET', at, what: `blob ${digest}`, headers: range, wanted } as const;
    const answer = await registry.ask(wish, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      failure = error;
    });
    if (answer === undefined) continue;
    yield* streamOf(answer, { descriptor, offset, about });
    return;
  }
  throw failure;
}

const mostAddresses = 5;
