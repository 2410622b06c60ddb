import { createHash } from 'node:crypto';
import { dataLoss, invalidArgument, unavailable } from '@gantry/sdk';
import type { Descriptor, Place } from '@gantry/sdk/transport';
import { readLimited } from './read-limited.ts';
import type { Registry } from './registry.ts';

export const maxManifestBytes: number = 4 * 1024 * 1024;

const accepted = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
];

/** Reads a manifest, and checks that it is one and is the one that was asked for. */
export async function readManifest(
  registry: Registry,
  { reference, ...place }: Place & { readonly reference: string },
  signal: AbortSignal,
): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }> {
  const about = `${place.host}/${place.repository}${isDigest(reference) ? '@' : ':'}${checkedReference(reference)}`;
  const answer = await registry.ask(
    {
      place,
      access: 'pull',
      method: 'GET',
      at: `manifests/${reference}`,
      what: `manifest ${reference}`,
      headers: { accept: accepted.join(', ') },
      wanted: [200],
    },
    signal,
  );
  const { headers } = answer.message;
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    answer.message.destroy();
    throw unavailable(`${about}: the registry compressed the manifest, which nobody asked for`);
  }
  const bytes = await readLimited(answer.body(), maxManifestBytes, about);
  const digest = digestOf(bytes);
  const promised = isDigest(reference) ? reference : headers['docker-content-digest'];
  if (isDigest(promised) && promised !== digest) throw dataLoss(`${about}: the manifest has digest ${digest}, expected ${promised}`);
  return { descriptor: { mediaType: mediaTypeOf(bytes, headers['content-type'], about), digest, size: bytes.length }, bytes };
}

/** What the document says it is; the header counts where it says nothing, as OCI allows. */
function mediaTypeOf(bytes: Buffer, header: string | undefined, about: string): string {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = Object(JSON.parse(bytes.toString('utf8'))) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw unavailable(`${about}: the registry answered no manifest`, { cause, hint: 'is this a registry, or a page of a proxy?' });
  }
  const { schemaVersion, mediaType, layers, manifests } = document;
  if (schemaVersion === 1)
    throw invalidArgument(`${about}: schema 1 not supported`, { hint: 'the image must be pushed again with a newer client' });
  if (schemaVersion !== 2) throw unavailable(`${about}: the registry answered no manifest`, { hint: 'is this a registry?' });
  if (layers !== undefined && manifests !== undefined) throw invalidArgument(`${about}: the manifest has both layers and manifests`);
  const named = (header ?? '').split(';', 1)[0]?.trim() ?? '';
  const type = typeof mediaType === 'string' ? mediaType : named;
  if (accepted.includes(named) && type !== named) throw invalidArgument(`${about}: the manifest says ${type}, the registry ${named}`);
  if (!accepted.includes(type)) throw invalidArgument(`${about}: media type ${JSON.stringify(type.slice(0, 100))} not supported`);
  return type;
}

/** Stores a manifest; its digest, which is also what the registry must say. */
export async function storeManifest(
  registry: Registry,
  { reference, mediaType, bytes, ...place }: Place & { readonly reference: string; readonly mediaType: string; readonly bytes: Buffer },
  signal: AbortSignal,
): Promise<{ readonly digest: string }> {
  if (bytes.length > maxManifestBytes) throw invalidArgument(`manifest of ${bytes.length} bytes, at most ${maxManifestBytes}`);
  const answer = await registry.ask(
    {
      place,
      access: 'pull,push',
      method: 'PUT',
      at: `manifests/${checkedReference(reference)}`,
      what: `manifest ${reference}`,
      headers: { 'content-type': mediaType },
      body: bytes,
      wanted: [200, 201, 202],
    },
    signal,
  );
  answer.message.resume();
  const digest = digestOf(bytes);
  const stored = answer.message.headers['docker-content-digest'];
  if (isDigest(stored) && stored !== digest) {
    throw dataLoss(`${place.host}/${place.repository}: the registry stored manifest ${stored} instead of ${digest}`);
  }
  return { digest };
}

export function isDigest(text: unknown): text is `sha256:${string}` {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

function checkedReference(reference: string): string {
  if (!isDigest(reference) && !/^\w[\w.-]{0,127}$/.test(reference)) {
    throw invalidArgument(`invalid tag or digest ${JSON.stringify(reference.slice(0, 100))}`);
  }
  return reference;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
