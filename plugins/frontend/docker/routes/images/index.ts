import { invalidArgument } from '@gantry/sdk';
import type { DeletedImage, Image } from '@gantry/sdk/engine';
import { containerConfig } from '../../bodies/container.ts';
import { withoutAbsent } from '../../http/absent.ts';
import { withFilter } from '../../http/filters.ts';
import type { Call } from '../../http/call.ts';
import { platformIn, platformsIn } from '../../http/platform.ts';
import { unixSeconds } from '../../http/time.ts';
import { imageDocument } from '../../shapes/image-document.ts';
import { imageManifest } from '../../shapes/image-manifest.ts';
import { imageSummary } from '../../shapes/image-summary.ts';
import { get, post, remove, type Route } from '../route.ts';
import { archiveRoutes } from './archive.ts';
import { transferRoutes } from './transfer.ts';

export const imageRoutes: readonly Route[] = [
  get('/images/json', list),
  get('/images/:name/json', inspect),
  get('/images/:name/history', history),
  post('/images/:name/tag', tag),
  remove('/images/:name', async (call) => {
    const { query } = call;
    const options = { force: query.flag('force'), prune: !query.flag('noprune'), platforms: platformsIn(call, 50) };
    call.send((await call.engine.images.remove(call.param('name'), options)).map(deletedDocument));
  }),
  post('/images/prune', async (call) => {
    const { deleted, spaceReclaimed } = await call.engine.images.prune({ filters: call.query.filters() });
    call.send({ ImagesDeleted: deleted.map(deletedDocument), SpaceReclaimed: spaceReclaimed });
  }),
  post('/commit', commit),
  ...transferRoutes,
  ...archiveRoutes,
];

async function list(call: Call): Promise<void> {
  const { query, version } = call;
  // Until 1.40 the name had a parameter of its own.
  const name = version < 41 ? query.word('filter') : undefined;
  const filters = name === undefined ? query.filters() : withFilter(query.filters(), 'reference', name);
  const images = await call.engine.images.list({ filters, all: query.flag('all'), sharedSize: query.flag('shared-size') });
  const withManifests = version >= 47 && query.flag('manifests');
  call.send(images.map((image) => ({ ...imageSummary(image, version), ...(withManifests && manifestsOf(call, nameOf(image))) })));
}

function inspect(call: Call): void {
  const name = call.param('name');
  const withManifests = call.version >= 48 && call.query.flag('manifests');
  const platform = platformIn(call, 49);
  if (withManifests && platform !== undefined) {
    throw invalidArgument('conflicting options: manifests and platform options cannot both be set');
  }
  const image = call.engine.images.inspect(name, withoutAbsent({ platform }));
  call.send({ ...imageDocument(image, call.version), ...(withManifests && manifestsOf(call, name)) });
}

/** One of an image's names means all of its platforms. */
function nameOf({ id, repoTags, repoDigests }: Image): string {
  return repoTags[0] ?? repoDigests[0] ?? id;
}

function manifestsOf(call: Call, name: string) {
  return { Manifests: call.engine.images.manifests(name).map(imageManifest) };
}

function history(call: Call): void {
  const entries = call.engine.images.history(call.param('name'), withoutAbsent({ platform: platformIn(call, 48) }));
  call.send(
    entries.map(({ id, created, created_by: createdBy, tags, sizeBytes, comment }) => ({
      Comment: comment ?? '',
      Created: unixSeconds(created ?? ''),
      CreatedBy: createdBy ?? '',
      Id: id,
      Size: sizeBytes,
      Tags: tags.length === 0 ? null : tags,
    })),
  );
}

async function tag(call: Call): Promise<void> {
  const repository = call.query.text('repo');
  const name = call.query.word('tag');
  if (repository === '') throw invalidArgument('invalid reference format: repository name must not be empty');
  await call.engine.images.tag(call.param('name'), name === undefined ? repository : `${repository}:${name}`);
  call.sendNothing(201);
}

async function commit(call: Call): Promise<void> {
  const { query } = call;
  const repository = query.word('repo');
  const name = query.word('tag');
  const config = call.hasBody ? await call.document() : null;
  const { id } = await call.engine.containers.commit(
    withoutAbsent({
      container: query.text('container'),
      reference: repository === undefined || name === undefined ? repository : `${repository}:${name}`,
      author: query.word('author'),
      comment: query.word('comment'),
      pause: query.flag('pause', true),
      changes: query.all('changes').flatMap((change) => change.split('\n')),
      config: config === null ? undefined : containerConfig.read(config, ''),
    }),
  );
  call.send({ Id: id }, 201);
}

function deletedDocument({ untagged, deleted }: DeletedImage) {
  return { ...(untagged === undefined ? {} : { Untagged: untagged }), ...(deleted === undefined ? {} : { Deleted: deleted }) };
}
