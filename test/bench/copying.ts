import { execFileSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../support/clients/api.ts';
import { busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { bigImageReference } from './big-image.ts';
import { download, upload } from './bulk.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** Many files at once: into containers and out of them, away with them, and copied for a driver that knows no layers. */
export const copyingScenarios: Readonly<Record<string, Scenario>> = {
  // dockerd needs about nine and seven times the floor.
  'put-2000': { unit: 'ms', target: { atMost: 6 }, versus: { peer: 'dockerd', atMost: 1 }, measure: put },
  'get-2000': { unit: 'ms', target: { atMost: 5 }, versus: { peer: 'dockerd', atMost: 1 }, measure: get },
  // The answer alone: the files go in the background.
  'remove-30000': { unit: 'ms', target: { atMost: 0.1 }, measure: removeBig },
};

export const driverScenarios: Readonly<Record<string, Scenario>> = {
  'vfs-create': { unit: 'ms', target: { atMost: 1 }, measure: createCopy },
};

function put(bench: Bench): Promise<Measured> {
  return inContainer(bench, async (api, id) => ({
    floors: bench.floors.unpackArchive(many(2000), bench.samples(9)),
    values: await sample(bench.samples(9), () => api.call('PUT', `/containers/${id}/archive?path=/tmp`, { body: many(2000) })),
  }));
}

function get(bench: Bench): Promise<Measured> {
  return inContainer(bench, async (api, id) => {
    await api.call('PUT', `/containers/${id}/archive?path=/tmp`, { body: many(2000) });
    return {
      floors: bench.floors.packArchive(many(2000), bench.samples(9)),
      values: await sample(bench.samples(9), () => download(api.socketPath, `/containers/${id}/archive?path=/tmp`)),
    };
  });
}

async function inContainer({ engine: { api } }: Bench, measure: (api: Api, id: string) => Promise<Measured>): Promise<Measured> {
  const json = { Image: 'busybox', Cmd: ['sleep', '1000'], StopSignal: 'SIGKILL', HostConfig: { NetworkMode: 'none' } };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  await api.call('POST', `/containers/${id}/start`);
  try {
    return await measure(api, id);
  } finally {
    await api.call('DELETE', `/containers/${id}?force=1`);
  }
}

async function removeBig({ engine: { api }, floors, bigImage, samples }: Bench): Promise<Measured> {
  const image = bigImage();
  const values: number[] = [];
  for (let round = 0; round < samples(3); round += 1) {
    if ((await api.call('GET', `/images/${bigImageReference}/json`)).status !== 200)
      await upload(api.socketPath, '/images/load?quiet=1', image.path);
    execFileSync('sync');
    values.push(...(await sample(1, () => api.json('DELETE', `/images/${bigImageReference}?force=1`), 0)));
  }
  return { floors: floors.removal(image, samples(3)), values };
}

/** An engine of its own with vfs, in turns with `cp` of the same tree on the same disk; what each made is gone, and on the disk, before the other begins. */
async function createCopy({ floors, folder, samples }: Bench): Promise<Measured> {
  const place = folder('vfs');
  const measured = { values: [] as number[], floors: [] as number[] };
  try {
    await using engine = await Daemon.start({ folder: place, flags: ['--storage-driver', 'vfs'] });
    const { archive: image } = makeImage({ reference: 'gantry-bench/copied:latest', layers: [busyboxLayer(), many(5000)] });
    await engine.api.stream('POST', '/images/load?quiet=1', { body: image });
    const json = { Image: 'gantry-bench/copied', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
    const create = () => engine.api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
    using tree = floors.copying([busyboxLayer(), many(5000)]);
    for (let round = -2; round < samples(9); round += 1) {
      const began = performance.now();
      const { Id } = await create();
      const spent = performance.now() - began;
      await engine.api.call('DELETE', `/containers/${Id}?force=1`);
      while (globSync(join(place, 'data/plugins/gantry.vfs/#*')).length > 0) await sleep(20);
      execFileSync('sync');
      const floor = tree.copy();
      execFileSync('sync');
      if (round < 0) continue;
      measured.values.push(spent);
      measured.floors.push(floor);
    }
    return measured;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Files of up to 3 KB. */
function many(count: number): Buffer {
  const content = (file: number): string => `file ${file} ${'y'.repeat(file % 3000)}\n`;
  return Buffer.concat([...Array.from({ length: count }, (_, file) => entry(`copied${file}`, content(file))), endOfArchive]);
}
