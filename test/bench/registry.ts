import { join } from 'node:path';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import type { Api } from '../support/clients/api.ts';
import { bigImageReference } from './big-image.ts';
import { upload } from './bulk.ts';
import { watchPeak } from './machine.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** The image of 30,000 files in six layers from a registry on loopback and to it, compressed as it was pushed the first time. */
export const registryScenarios: Readonly<Record<string, Scenario>> = {
  // 0.55 of what podman needed where its load took 3.7 times the same floor.
  pull: { unit: 'ms', target: { atMost: 2.6 }, versus: { peer: 'podman', atMost: 0.55 }, measure: pull },
  'pull-peak-memory': { unit: 'MB', target: { atMost: 200 }, measure: pullPeak },
  'pull-again': { unit: 'ms', target: { atMost: 8 }, measure: pullAgain },
  // The registry reads, hashes and writes as much as we do, on the same two processors.
  push: { unit: 'ms', target: { atMost: 3 }, versus: { peer: 'podman', atMost: 0.2 }, measure: push },
};

const repository = 'gantry-bench/big';

function pull(bench: Bench): Promise<Measured> {
  return withRegistry(bench, async ({ name, pullIt, remove }) => {
    const values: number[] = [];
    for (let round = 0; round < bench.samples(3); round += 1) {
      await remove(name);
      values.push(...(await sample(1, pullIt, 0)));
    }
    return { floors: Array.from({ length: bench.samples(3) }, () => bench.floors.unpack(bench.bigImage())), values };
  });
}

function pullPeak(bench: Bench): Promise<Measured> {
  return withRegistry(bench, async ({ name, pullIt, remove }) => {
    await remove(name);
    // What pushing it needed is not counted.
    const { pid } = await bench.restart();
    if (pid === undefined) return { values: [] };
    const peak = watchPeak(pid);
    await pullIt();
    return { values: [peak()] };
  });
}

function pullAgain(bench: Bench): Promise<Measured> {
  return withRegistry(bench, async ({ pullIt }) => {
    await pullIt();
    return { values: await sample(bench.samples(50), pullIt) };
  });
}

/** To a repository of its own each time, which has nothing of it yet; the floor is a copy of the same bytes. */
function push(bench: Bench): Promise<Measured> {
  return withRegistry(bench, async ({ name, host, pullIt, remove }) => {
    await remove(name);
    await pullIt();
    let count = 0;
    const pushOne = async (): Promise<void> => {
      const to = `${host}/${repository}-${(count += 1)}`;
      await bench.engine.api.call('POST', `/images/${encodeURIComponent(name)}/tag?repo=${encodeURIComponent(to)}&tag=latest`);
      await pushTo(bench.engine.api, to);
    };
    return { values: await sample(bench.samples(3), pushOne, 1), floors: [bench.floors.copy(bench.bigImage())] };
  });
}

interface AtRegistry {
  readonly host: string;
  /** Of the image there. */
  readonly name: string;
  readonly pullIt: () => Promise<unknown>;
  readonly remove: (name: string) => Promise<unknown>;
}

async function withRegistry(bench: Bench, measure: (at: AtRegistry) => Promise<Measured>): Promise<Measured> {
  const { api } = bench.engine;
  await using registry = await dockerRegistry(join(bench.folder('registry'), 'data'));
  const name = `${registry.host}/${repository}`;
  const remove = async (image: string): Promise<void> => {
    await api.call('DELETE', `/images/${encodeURIComponent(image)}?force=1`);
  };
  if ((await api.call('GET', `/images/${bigImageReference}/json`)).status !== 200)
    await upload(api.socketPath, '/images/load?quiet=1', bench.bigImage().path);
  await api.call('POST', `/images/${bigImageReference}/tag?repo=${encodeURIComponent(name)}&tag=latest`);
  await pushTo(api, name);
  await remove(bigImageReference);
  try {
    return await measure({
      host: registry.host,
      name,
      pullIt: () => api.stream('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=latest`),
      remove,
    });
  } finally {
    for (const { RepoTags } of await api.json<readonly { readonly RepoTags: readonly string[] }[]>('GET', '/images/json'))
      for (const tag of RepoTags) if (tag.includes(repository)) await remove(tag);
  }
}

async function pushTo(api: Api, name: string): Promise<void> {
  const empty = Buffer.from('{}').toString('base64');
  await api.stream('POST', `/images/${encodeURIComponent(name)}/push?tag=latest`, { headers: { 'x-registry-auth': empty } });
}
