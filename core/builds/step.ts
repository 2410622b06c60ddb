import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type Abortable, GantryError, invalidArgument, messageOf } from '@gantry/sdk';
import type { BuildStep, Copy } from '@gantry/sdk/engine';
import type { Ingested } from '../content/index.ts';
import type { ImagesRoom } from '../images/index.ts';
import type { Copying, Layers, LayerSource } from '../layers/index.ts';
import { resolveUser } from '../lifecycle/index.ts';
import { failpoint } from '../support/index.ts';
import type { OpenTree, Trees, TreesParts } from './trees.ts';

interface Parts extends TreesParts {
  readonly trees: Trees;
  /** Inside the transaction that makes the image. */
  readonly remember: (keys: readonly string[], imageId: string) => void;
}

/** Makes the image of a step. The layer's tar lies in the ingest folder until it is a blob, or gone. */
export async function composeStep(parts: Parts, step: BuildStep & Abortable): Promise<{ readonly id: string }> {
  const { layer, ingested } = await layerOf(parts, step);
  try {
    failpoint('build.step.commit');
    const { parent, config, platform, author, createdBy, comment, created, cacheKeys, signal } = step;
    const id = await parts.images.derive({
      parent,
      config,
      layer,
      platform,
      author,
      createdBy,
      comment,
      created,
      signal,
      also: (imageId) => parts.remember(cacheKeys, imageId),
    });
    return { id };
  } finally {
    if (ingested !== undefined) await rm(ingested.path, { force: true });
  }
}

interface StepLayer {
  readonly layer: LayerSource | undefined;
  /** A file that is gone, or a blob, afterwards. */
  readonly ingested?: Ingested;
}

async function layerOf(parts: Parts, step: BuildStep & Abortable): Promise<StepLayer> {
  if (step.layer === undefined) return { layer: undefined };
  if ('like' in step.layer) return { layer: parts.images.layerOf(step.layer.like, step.layer.layer) };
  const ingested = await ingestedOf(parts, step.layer, step);
  return { layer: { diffId: ingested.digest, blob: ingested }, ingested };
}

async function ingestedOf(
  parts: Parts,
  layer: Exclude<NonNullable<BuildStep['layer']>, { readonly like: string; readonly layer: number }>,
  { parent, created, signal }: BuildStep & Abortable,
): Promise<Ingested> {
  const latestSeconds = created === undefined ? undefined : Math.floor(Date.parse(created) / 1000);
  if ('container' in layer) return parts.layers.exportChanges(layer.container, { latestSeconds, mountPoints: layer.mountPoints, signal });
  await using opened = new AsyncDisposableStack();
  const lower = parent === '' ? undefined : await lowerOf(parts.images, parent, { signal, opened });
  const copies: Copying[] = [];
  for (const copy of layer.copies) copies.push(...(await copyingsOf(parts, copy, { lower, opened, signal })));
  return await writeLayer(parts.layers, { lower, copies, latestSeconds, signal });
}

async function lowerOf(images: ImagesRoom, parent: string, { signal, opened }: Abortable & { readonly opened: AsyncDisposableStack }) {
  if (images.resolve(parent).chainIds.length === 0) return undefined;
  return opened.use(await images.mount(parent, { signal })).path;
}

/** One for the files, and one for each archive that is to be unpacked. */
async function copyingsOf(
  { trees }: Parts,
  copy: Copy,
  { lower, opened, signal }: { readonly lower: string | undefined; readonly opened: AsyncDisposableStack } & Abortable,
): Promise<readonly Copying[]> {
  const tree = trees.get(copy.tree);
  const { destination, isMany, exclude, parents, mode } = copy;
  const owner = ownerOf(copy, tree, lower);
  const common = { exclude, parents, mode, owner };
  if (copy.unpack !== true) return [{ ...common, source: tree.source, sources: copy.sources, destination, isMany }];
  const { plain, archives } = await tree.unpacked(copy.sources, { signal });
  for (const archive of archives) opened.use(archive);
  const files = plain.length === 0 ? [] : [{ ...common, source: tree.source, sources: plain, destination, isMany }];
  const contents = archives.map(({ source }) => ({
    source,
    sources: ['/'],
    destination,
    isMany: false,
    owner: copy.owner === undefined ? undefined : owner,
  }));
  return [...files, ...contents];
}

function ownerOf({ owner }: Copy, { keepsOwners }: OpenTree, lower: string | undefined): Copying['owner'] {
  if (owner === undefined) return keepsOwners ? undefined : { uid: 0, gid: 0 };
  const [user = '', group = user] = owner.split(':');
  if (user === '' || /[^\w.:@-]/.test(owner)) throw invalidArgument(`invalid owner ${JSON.stringify(owner)}: it is USER[:GROUP]`);
  if (/^\d+$/.test(user) && /^\d+$/.test(group)) return { uid: idOf(user), gid: idOf(group) };
  if (lower === undefined) throw invalidArgument(`owner ${owner} cannot be looked up: there is no /etc/passwd below this step`);
  const { uid, gid } = resolveUser(lower, `${user}:${group}`);
  return { uid, gid };
}

function idOf(text: string): number {
  const id = Number(text);
  if (id > 0xfffffffe) throw invalidArgument(`owner ${text} is out of range`);
  return id;
}

async function writeLayer(
  layers: Layers,
  {
    lower,
    copies,
    latestSeconds,
    signal,
  }: { readonly lower: string | undefined; readonly copies: readonly Copying[]; readonly latestSeconds: number | undefined } & Abortable,
): Promise<Ingested> {
  const path = layers.newLayerPath();
  const fd = openSync(path, 'wx', 0o600);
  try {
    const mtimeSeconds = latestSeconds ?? Math.floor(Date.now() / 1000);
    const { digest, tarBytes } = await layers.workers.run('compose', { lower, copies, fd, mtimeSeconds, latestSeconds }, { signal });
    return { path, digest, sizeBytes: tarBytes };
  } catch (error) {
    await rm(path, { force: true });
    throw GantryError.is(error) ? error : new GantryError('internal', messageOf(error), { cause: error });
  } finally {
    closeSync(fd);
  }
}
