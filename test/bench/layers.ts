import type { Api } from '../support/clients/api.ts';
import { busyboxLayer } from '../support/images/busybox.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { endOfArchive, entry, header } from '../support/images/tar-builder.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** What layers cost: to tell and to keep what a container changed (5,000 files; the floors have as many of 4 KiB), and to have many of them. */
export const layerScenarios: Readonly<Record<string, Scenario>> = {
  // 0.3 and 0.4 of what podman needs where that was measured.
  'diff-5000': { unit: 'ms', target: { atMost: 3.5 }, versus: { peer: 'podman', atMost: 0.3 }, measure: diff },
  'commit-5000': { unit: 'ms', target: { atMost: 2 }, versus: { peer: 'podman', atMost: 0.4 }, measure: commit },
  'create-20-layers': { unit: 'ms', target: { atMost: 5 }, measure: createOnMany },
  'read-127-layers': { unit: 'ms', target: { atMost: 1.05 }, measure: readThroughMany },
};

const files = 5000;
/** An image has no more; with what the engine and the container put above it, the kernel stacks 127. */
const mostLayers = 125;

async function diff({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const id = await changed(api);
  const count = (await api.json<readonly unknown[]>('GET', `/containers/${id}/changes`)).length;
  if (count < files) throw new Error(`${count} changes were told`);
  const values = await sample(samples(15), () => api.call('GET', `/containers/${id}/changes`));
  await forget(api, id);
  return { floors: floors.find(archive(), samples(15)), values, note: `${count} changes` };
}

async function commit({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const id = await changed(api);
  const commitOne = async (): Promise<void> => {
    await api.json('POST', `/commit?container=${id}&repo=gantry-bench/committed`, { json: {} });
  };
  const values: number[] = [];
  for (let round = 0; round < samples(6); round += 1) {
    values.push(...(await sample(1, commitOne, 0)));
    await api.call('DELETE', '/images/gantry-bench/committed?force=1');
  }
  await forget(api, id);
  return { floors: floors.repack(archive(), samples(6)), values };
}

async function createOnMany({ engine: { api }, samples }: Bench): Promise<Measured> {
  await loadLayers(api, 20);
  const ids: string[] = [];
  const values = await sample(samples(40), async () => ids.push(await create(api, 'gantry-bench/20-layers')));
  for (const id of ids) await api.call('DELETE', `/containers/${id}?force=1`);
  return { values };
}

/** The contents of the same files, by a program inside; the floor is an image of two layers. In turns, so that both have the same machine. */
async function readThroughMany({ engine: { api }, samples }: Bench): Promise<Measured> {
  const [few, many] = [await runOn(api, 2), await runOn(api, mostLayers)];
  const floors: number[] = [];
  const values: number[] = [];
  for (let round = -2; round < samples(15); round += 1) {
    const turns = [
      [few, floors],
      [many, values],
    ] as const;
    for (const [id, times] of round % 2 === 0 ? turns : turns.toReversed()) {
      const [spent = Number.NaN] = await sample(1, () => readAll(api, id), 0);
      if (round >= 0) times.push(spent);
    }
  }
  for (const id of [few, many]) await api.call('DELETE', `/containers/${id}?force=1`);
  return { floors, values };
}

async function runOn(api: Api, layers: number): Promise<string> {
  await loadLayers(api, layers);
  const id = await create(api, `gantry-bench/${layers}-layers`, ['sleep', '1000']);
  await api.json('POST', `/containers/${id}/start`);
  // Listing folders that many layers share is another matter: the names are known.
  await execute(api, id, 'for file in $(seq 0 2399); do echo /data/folder$((file % 40))/file$file; done > /names');
  return id;
}

async function readAll(api: Api, id: string): Promise<void> {
  await execute(api, id, 'for round in $(seq 30); do cat $(cat /names) > /dev/null; done');
}

async function execute(api: Api, id: string, script: string): Promise<void> {
  const json = { Cmd: ['sh', '-c', script], AttachStdout: true };
  const { Id } = await api.json<{ readonly Id: string }>('POST', `/containers/${id}/exec`, { json });
  await api.stream('POST', `/exec/${Id}/start`, { json: { Detach: false, Tty: false } });
}

/** 2,400 files of 16 KiB in forty folders, in a layer above the busybox, and as many layers above that as there are to be, which name all the folders again. */
async function loadLayers(api: Api, count: number): Promise<void> {
  const folders = Array.from({ length: 40 }, (_, folder) => header({ name: `data/folder${folder}/`, type: '5', mode: 0o755 }));
  const contents = Array.from({ length: 2400 }, (_, file) =>
    entry(`data/folder${file % 40}/file${file}`, Buffer.alloc(16_384, `${file} `)),
  );
  const above = Array.from({ length: count - 2 }, (_, layer) => [...folders, entry(`layer${layer}`, '')]);
  const layers = [[...folders, ...contents], ...above].map((parts) => Buffer.concat([...parts, endOfArchive]));
  const { archive: image } = makeImage({ reference: `gantry-bench/${count}-layers:latest`, layers: [busyboxLayer(), ...layers] });
  await api.stream('POST', '/images/load?quiet=1', { body: image });
}

async function create(api: Api, image: string, command: readonly string[] = ['true']): Promise<string> {
  const json = { Image: image, Cmd: command, StopSignal: 'SIGKILL', HostConfig: { NetworkMode: 'none' } };
  return (await api.json<{ readonly Id: string }>('POST', '/containers/create', { json })).Id;
}

/** A container that ended, on an image of 23,000 files: it wrote to 2,500 of them, removed 500 and made 2,000. */
async function changed(api: Api): Promise<string> {
  const base = archive('base', 3000);
  const others = archive('others', 20_000, 256);
  const { archive: image } = makeImage({ reference: `${before}:latest`, layers: [busyboxLayer(), others, base] });
  await api.stream('POST', '/images/load?quiet=1', { body: image });
  const id = await create(api, before, ['sh', '-c', change]);
  await api.json('POST', `/containers/${id}/start`);
  const { StatusCode } = await api.json<{ readonly StatusCode: number }>('POST', `/containers/${id}/wait`);
  if (StatusCode !== 0) throw new Error(`what was to change files ended with ${StatusCode}`);
  return id;
}

async function forget(api: Api, id: string): Promise<void> {
  await api.call('DELETE', `/containers/${id}?force=1`);
  await api.call('DELETE', `/images/${before}?force=1`);
}

const before = 'gantry-bench/before';
const change = `set -e; cd /base
for file in $(seq 0 2499); do echo x >> folder$((file / 100))/file$file; done
for file in $(seq 2500 2999); do echo folder$((file / 100))/file$file; done | xargs rm
mkdir /new; for file in $(seq 2000); do echo $file > /new/file$file; done`;

function archive(top = 'changed', count = files, size = 4096): Buffer {
  const content = Buffer.alloc(size, 'content ');
  const parts: Buffer[] = [header({ name: `${top}/`, type: '5', mode: 0o755 })];
  for (let file = 0; file < count; file += 1) {
    const folder = `${top}/folder${Math.floor(file / 100)}`;
    if (file % 100 === 0) parts.push(header({ name: `${folder}/`, type: '5', mode: 0o755 }));
    parts.push(entry(`${folder}/file${file}`, content));
  }
  return Buffer.concat([...parts, endOfArchive]);
}
