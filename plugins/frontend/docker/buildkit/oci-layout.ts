import { invalidArgument, messageOf } from '@gantry/sdk';
import type { TreeFile } from '@gantry/sdk/engine';
import { decode, encode } from './messages.ts';
import type { Session } from './session.ts';

const method = '/containerd.services.content.v1.Content/Read';
/** As containerd's own limit on manifests and indexes. */
const mostManifestBytes = 8 * 2 ** 20;
const deepestIndex = 3;

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}
interface Document {
  readonly mediaType?: string;
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/**
 * What a client has in one of its OCI layouts of the image that "STORE:TAG@DIGEST" names, as the files of a layout of that image alone;
 * of an index of platforms, those that may be meant. Nothing is checked here: whoever loads it holds it against its digests.
 */
export async function* layoutFiles(
  session: Session,
  reference: string,
  { architecture, signal }: { readonly architecture: string; readonly signal: AbortSignal },
): AsyncIterable<TreeFile> {
  const [, store = '', digest = ''] = /^([\w-]{1,128})(?::[^@]*)?@(sha256:[0-9a-f]{64})$/.exec(reference) ?? [];
  if (store === '') throw invalidArgument(`build context oci-layout://${reference.slice(0, 200)} names no image by its digest`);
  if (!session.serves(method)) throw invalidArgument('the client of the build offers no OCI layouts');
  const read = (wanted: string): AsyncIterable<Buffer> => contentOf(session, { store, digest: wanted }, signal);
  const top = await documentOf(read(digest), digest);
  const mediaType = top.document.mediaType ?? guessed(top.document);
  yield file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  yield file('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size: top.bytes.length }] })));
  const told = new Set<string>();
  const pending = [{ digest, ...top, depth: 1 }];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (told.has(next.digest)) continue;
    told.add(next.digest);
    yield file(pathOf(next.digest), next.bytes);
    const { manifests = [], config, layers = [] } = next.document;
    if (manifests.length > 0 && next.depth > deepestIndex) throw invalidArgument(`indexes of ${digest} lie more than ${deepestIndex} deep`);
    for (const each of manifests.filter(({ platform }) => platform === undefined || isFor(platform, architecture)))
      pending.push({ digest: each.digest, ...(await documentOf(read(each.digest), each.digest)), depth: next.depth + 1 });
    for (const blob of [...(config === undefined ? [] : [config]), ...layers]) {
      if (told.has(blob.digest)) continue;
      told.add(blob.digest);
      yield { ...file(pathOf(blob.digest), Buffer.alloc(0)), content: read(blob.digest) };
    }
  }
}

function isFor({ os = 'linux', architecture }: NonNullable<Descriptor['platform']>, wanted: string): boolean {
  return os === 'linux' && (architecture === undefined || architecture === wanted);
}

function guessed({ manifests }: Document): string {
  return manifests === undefined ? 'application/vnd.oci.image.manifest.v1+json' : 'application/vnd.oci.image.index.v1+json';
}

async function* contentOf(
  session: Session,
  { store, digest }: { readonly store: string; readonly digest: string },
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  using call = session.open(method, { 'buildkit-attachable-store-id': `oci:${store}` }, signal);
  call.send(encode('ReadContentRequest', { digest }));
  call.end();
  for await (const message of call) {
    const { data } = decode<{ readonly data: Uint8Array }>('ReadContentResponse', message);
    if (data.length > 0) yield Buffer.from(data);
  }
}

async function documentOf(
  content: AsyncIterable<Buffer>,
  digest: string,
): Promise<{ readonly bytes: Buffer; readonly document: Document }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > mostManifestBytes) throw invalidArgument(`manifest ${digest} has more than ${mostManifestBytes} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  try {
    const document: unknown = JSON.parse(bytes.toString());
    if (typeof document !== 'object' || document === null) throw new TypeError('it is no object');
    for (const list of ['manifests', 'layers'] as const)
      if (list in document && !Array.isArray(Reflect.get(document, list))) throw new TypeError(`${list} is no list`);
    return { bytes, document };
  } catch (error) {
    throw invalidArgument(`manifest ${digest} is no JSON document: ${messageOf(error)}`, { cause: error });
  }
}

/** A digest is part of a path here: one that is none names nothing. */
function pathOf(digest: string): string {
  if (!/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest))
    throw invalidArgument(`${JSON.stringify([digest]).slice(1, 100)} is no digest`);
  return `blobs/${digest.replace(':', '/')}`;
}

function file(name: string, bytes: Buffer): TreeFile {
  return { name, content: once(bytes), mode: 0o644, mtimeSeconds: 0 };
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}
