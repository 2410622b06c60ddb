import { type GantryError, invalidArgument, notImplemented } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import { credentials, sendBytes } from './client.ts';
import { sendFiles } from './send-files.ts';
import type { Session } from './session.ts';

/** As the client asks for it. */
export interface Exporter {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}
/** Something that is done with an image that was built. */
export interface Export {
  /** As it is shown. */
  readonly name: string;
  readonly tags: readonly string[];
  readonly run: (built: Built) => Promise<void>;
}
export interface Built {
  readonly engine: Engine;
  /** One, or one for each platform. */
  readonly imageIds: readonly string[];
  readonly session: Session;
  readonly signal: AbortSignal;
}

/** What these exporters do; the client has a place for what the one of each number sends. Refuses those that there are not, before anything is built. */
export function exportsOf(exporters: readonly Exporter[]): readonly Export[] {
  return exporters.map(({ type, attrs }, number) => {
    const make = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
    if (make === undefined) throw noExporter(type);
    return make(attrs, number);
  });
}

type Make = (attributes: Exporter['attrs'], number: number) => Export;

const kinds: Readonly<Record<string, Make>> = {
  '': image,
  moby: image,
  image,
  docker: archive,
  oci: archive,
  tar: (_attributes, exporter) => ({
    name: 'sending tarball',
    tags: [],
    run: async ({ engine, imageIds, session, signal }) => {
      await using files = await engine.builds.files(onlyOf(imageIds, 'tar'), { signal });
      await sendBytes(session, { exporter, bytes: files.tar() }, signal);
    },
  }),
  local: (_attributes, exporter) => ({
    name: 'copying files',
    tags: [],
    run: async ({ engine, imageIds, session, signal }) => {
      await using files = await engine.builds.files(onlyOf(imageIds, 'local'), { signal });
      await sendFiles(session, { exporter, files: await files.list() }, signal);
    },
  }),
};

/** Into the engine, and from there to a registry where that is wanted. */
function image(attributes: Exporter['attrs']): Export {
  const tags = namesOf(attributes);
  if (isSet(attributes, 'push-by-digest')) throw notImplemented('push-by-digest is not supported: give the image a name');
  if (isSet(attributes, 'push') && tags.length === 0) throw invalidArgument('tag is needed when pushing to registry');
  return {
    name: 'exporting to image',
    tags,
    run: async ({ engine, imageIds, session, signal }) => {
      for (const tag of tags) await engine.images.tagAll(imageIds, tag);
      if (isSet(attributes, 'push')) for (const tag of tags) await push({ engine, session, signal }, tag);
    },
  };
}

/** One tar that is both a Docker archive and an OCI layout. */
function archive(attributes: Exporter['attrs'], exporter: number): Export {
  const tags = namesOf(attributes);
  if (attributes['tar'] === 'false') throw notImplemented('images go out as one archive, not as a folder: leave tar=false out');
  return {
    name: 'exporting to archive',
    tags,
    run: async ({ engine, imageIds, session, signal }) => {
      const bytes = await engine.images.save([onlyOf(imageIds, 'an archive')], { signal, ...(tags.length === 0 ? {} : { as: tags }) });
      await sendBytes(session, { exporter, bytes }, signal);
    },
  };
}

/** With the login that the client has for that registry. */
export async function push(
  { engine, session, signal }: Omit<Built, 'imageIds'>,
  reference: string,
  images?: readonly string[],
): Promise<void> {
  const auth = await credentials(session, hostOf(reference), signal);
  await engine.images.push(reference, { signal, ...(auth === undefined ? {} : { auth }), ...(images === undefined ? {} : { images }) });
}

function hostOf(reference: string): string {
  const [first = ''] = reference.split('/');
  return reference.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** Files of several platforms would lie over one another. */
function onlyOf([id = '', ...others]: readonly string[], what: string): string {
  if (others.length === 0) return id;
  throw notImplemented(`${what} is made of one platform, not of ${others.length + 1}`, {
    hint: 'build with a tag, and docker save that; or build once for each --platform',
  });
}

function namesOf(attributes: Exporter['attrs']): readonly string[] {
  return (attributes['name'] ?? '').split(',').filter((name) => name !== '');
}

function isSet(attributes: Exporter['attrs'], key: string): boolean {
  return /^(?:1|t|true)$/i.test(attributes[key] ?? '');
}

function noExporter(type: string): GantryError {
  return notImplemented(`exporter ${JSON.stringify(type.slice(0, 40))} is not supported: image, docker, oci, tar or local`);
}
