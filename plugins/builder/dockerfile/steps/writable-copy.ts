import { randomUUID } from 'node:crypto';
import { buildCacheLabel, buildStepAnnotation } from '@gantry/sdk/builder';
import type { Job } from '../job.ts';

/** A volume with all files of an image, for one step to write to; nothing of it is left when it is disposed. */
export async function writableCopy({ request, signal }: Job, image: string): Promise<{ readonly name: string } & AsyncDisposable> {
  const { volumes, containers, builds } = request.engine;
  await using undo = new AsyncDisposableStack();
  const name = `build-bind-${randomUUID()}`;
  await volumes.create({ name, driver: 'local', options: {}, labels: { [buildCacheLabel]: 'written to by one step' } });
  undo.defer(() => volumes.remove(name, { force: true }));
  await using holding = new AsyncDisposableStack();
  const files = holding.use(await builds.files(image, { signal }));
  // By its label and its annotation it goes all the same when the engine dies.
  const hostConfig = {
    NetworkMode: 'none',
    LogConfig: { Type: 'none' },
    Annotations: { [buildStepAnnotation]: '0' },
    Mounts: [{ Type: 'volume' as const, Source: name, Target: place, VolumeOptions: { NoCopy: true } }],
  };
  const { id } = await containers.create({ config: { Image: image, Cmd: ['never'] }, hostConfig });
  holding.defer(() => containers.remove(id, { force: true, volumes: false }));
  await containers.putArchive(id, place, files.tar(), { noOverwriteDirNonDir: false, copyUidGid: false, signal });
  await holding.disposeAsync();
  const made = undo.move();
  return { name, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

/** Where no image has anything. */
const place = `/.build-bind-${randomUUID()}`;
