import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { digestOf } from './image-archive.ts';
import { architecture, configOf, manifestOf, small, types } from '../plugins/served-image.ts';
import { endOfArchive, entry } from './tar-builder.ts';

/** The machine's own platform is one of them, and not the first. */
export const architectures = ['s390x', architecture, 'riscv64'] as const;

export interface IndexedImage {
  readonly index: Buffer;
  readonly indexDigest: string;
  /** By architecture. */
  readonly parts: ReadonlyMap<string, { readonly id: string; readonly manifest: Buffer; readonly blobs: readonly Buffer[] }>;
}

/** One index of images for several platforms: each has the layer of all and one of its own. */
export function indexedImage(
  label: string,
  { of = architectures, also = [] }: { readonly of?: readonly string[]; readonly also?: readonly object[] } = {},
): IndexedImage {
  const shared = small(`shared ${label}`);
  const parts = new Map(
    of.map((each) => {
      const own = small(`${label} ${each}`);
      const config = configOf([digestOf(shared), digestOf(own)], each);
      const layers = [gzipSync(shared), gzipSync(own)];
      const manifest = manifestOf(
        config,
        layers.map((layer) => [`${types.layer}+gzip`, layer] as const),
      );
      return [each, { id: digestOf(config), manifest, blobs: [...layers, config] }] as const;
    }),
  );
  const manifests = [...parts].map(([each, { manifest }]) => ({
    mediaType: types.manifest,
    digest: digestOf(manifest),
    size: manifest.length,
    platform: { os: 'linux', architecture: each },
  }));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [...manifests, ...also] }));
  return { index, indexDigest: digestOf(index), parts };
}

/** What build tools put beside an image. */
export const attestation = (of: Buffer): object => ({
  mediaType: types.manifest,
  digest: `sha256:${'a'.repeat(64)}`,
  size: 7,
  platform: { os: 'unknown', architecture: 'unknown' },
  annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': digestOf(of) },
});

/** The archive of an OCI layout with the index under a name; `without`: architectures whose blobs are not in it. */
export function layoutOf(image: IndexedImage, name: string, { without = [] }: { readonly without?: readonly string[] } = {}): Buffer {
  const descriptor = {
    mediaType: types.index,
    digest: image.indexDigest,
    size: image.index.length,
    annotations: { 'io.containerd.image.name': name },
  };
  const there = [...image.parts].flatMap(([each, { manifest, blobs }]) => (without.includes(each) ? [] : [manifest, ...blobs]));
  const blobs = new Map([image.index, ...there].map((blob) => [digestOf(blob), blob]));
  return Buffer.concat([
    ...[...blobs].map(([digest, blob]) => entry(`blobs/${digest.replace(':', '/')}`, blob)),
    entry('index.json', JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [descriptor] })),
    entry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    endOfArchive,
  ]);
}

/** Puts the index, and all that it names, into a registry as `acme/app:TAG`. */
export async function putIndex(host: string, { index, parts }: IndexedImage, tag: string): Promise<void> {
  const at = `http://${host}/v2/acme/app`;
  for (const { manifest, blobs } of parts.values()) {
    for (const blob of blobs) {
      const { headers } = await sent('POST', `${at}/blobs/uploads/`);
      const place = new URL(String(headers['location']), at);
      place.searchParams.set('digest', digestOf(blob));
      await sent('PUT', place.href, { body: blob, headers: { 'content-type': 'application/octet-stream' } });
    }
    await sent('PUT', `${at}/manifests/${digestOf(manifest)}`, { body: manifest, headers: { 'content-type': types.manifest } });
  }
  await sent('PUT', `${at}/manifests/${tag}`, { body: index, headers: { 'content-type': types.index } });
}

/** What a registry says that a tag is; undefined: nothing. */
export async function manifestAt(
  host: string,
  tag: string,
  repository = 'acme/app',
): Promise<{ readonly digest: string; readonly bytes: Buffer } | undefined> {
  const headers = { accept: [types.index, types.manifest].join(', ') };
  const { status, body } = await ask('GET', `http://${host}/v2/${repository}/manifests/${tag}`, { headers });
  return status === 200 ? { digest: digestOf(body), bytes: body } : undefined;
}

interface Asking {
  readonly body?: Buffer;
  readonly headers?: OutgoingHttpHeaders;
}

async function sent(method: string, url: string, asking: Asking = {}): Promise<Awaited<ReturnType<typeof ask>>> {
  const answer = await ask(method, url, asking);
  if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${answer.body.toString()}`);
  return answer;
}

/** On a connection of its own, which is closed when it resolves. */
async function ask(method: string, url: string, { body, headers = {} }: Asking) {
  const asked = request(url, { method, headers: { ...headers, 'content-length': body?.length ?? 0 }, agent: false });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const chunks = (await answer.toArray()) as Buffer[];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
}
