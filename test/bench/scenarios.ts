import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../support/clients/api.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { rate } from './api.ts';
import type { BigImage } from './big-image.ts';
import { bigImageReference } from './big-image.ts';
import type { Engine } from './engines.ts';
import type { Floors } from './floors.ts';
import { download, upload } from './bulk.ts';
import { create, fill, remove, start } from './containers.ts';
import { engineFootprint, watchPeak } from './machine.ts';
import { sample, summarise } from './statistics.ts';

export interface Bench {
  readonly engine: Engine;
  readonly floors: Floors;
  readonly bigImage: () => BigImage;
  /** Stops the engine and starts it again on the same data. */
  readonly restart: () => Promise<Engine>;
  /** A new folder on the disk that is measured. */
  readonly folder: (name: string) => string;
  /** This many samples, or fewer in a hurry. */
  readonly samples: (count: number) => number;
}

export interface Measured {
  readonly values: readonly number[];
  /** What the machine needs for the same work without an engine. */
  readonly floors?: readonly number[];
  readonly note?: string;
}

export interface Scenario {
  readonly unit: 'ms' | 'req/s' | 'MB';
  /** Times the floor where there is one, else in the unit. */
  readonly target: { readonly atMost: number } | { readonly atLeast: number };
  /** Times what this engine needs or does, when it was measured in the same run. */
  readonly versus?: { readonly peer: string } & Scenario['target'];
  readonly measure: (bench: Bench) => Promise<Measured>;
}

/** In this order: memory first, while the engine is fresh; what leaves 200 containers behind last. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'idle-memory': { unit: 'MB', target: { atMost: 110 }, measure: idleMemory },
  'run-none': { unit: 'ms', target: { atMost: 3.5 }, measure: (bench) => runContainers(bench, 'none') },
  'run-bridge': { unit: 'ms', target: { atMost: 6 }, measure: (bench) => runContainers(bench, 'bridge') },
  exec: { unit: 'ms', target: { atMost: 3.5 }, measure: execs },
  'start-50': {
    unit: 'ms',
    target: { atMost: 1.9 },
    versus: { peer: 'podman', atMost: 0.7 },
    measure: (bench) => startMany(bench, 'none'),
  },
  'start-50-bridge': {
    unit: 'ms',
    target: { atMost: 3.1 },
    versus: { peer: 'podman', atMost: 0.6 },
    measure: (bench) => startMany(bench, 'bridge'),
  },
  'container-memory': { unit: 'MB', target: { atMost: 2.5 }, measure: containerMemory },
  load: { unit: 'ms', target: { atMost: 2 }, measure: load },
  save: { unit: 'ms', target: { atMost: 2.5 }, versus: { peer: 'podman', atMost: 0.35 }, measure: save },
  'load-peak-memory': { unit: 'MB', target: { atMost: 200 }, measure: loadPeak },
  ping: { unit: 'req/s', target: { atLeast: 10_000 }, measure: (bench) => rate(bench, '/_ping') },
  'ps-200': { unit: 'req/s', target: { atLeast: 2000 }, versus: { peer: 'dockerd', atLeast: 15 }, measure: (bench) => listMany(bench, 1) },
  'ps-200-16': {
    unit: 'req/s',
    target: { atLeast: 2000 },
    versus: { peer: 'dockerd', atLeast: 15 },
    measure: (bench) => listMany(bench, 16),
  },
  'start-200': { unit: 'ms', target: { atMost: 300 }, measure: coldStart },
};

/** The image that the scenarios run; before the first of them. */
export async function loadBusybox(api: Api): Promise<void> {
  await api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
}

async function idleMemory(): Promise<Measured> {
  await sleep(2000);
  const { residentMB, proportionalMB } = engineFootprint();
  return { values: [residentMB], note: `${proportionalMB.toFixed(0)} MB proportional` };
}

async function runContainers({ engine: { api }, floors, samples }: Bench, network: string): Promise<Measured> {
  const runOne = async (): Promise<void> => {
    const id = await create(api, ['true'], network);
    await start(api, id);
    await api.json('POST', `/containers/${id}/wait`);
    await remove(api, id);
  };
  return { floors: floors.run(samples(10)), values: await sample(samples(30), runOne) };
}

async function execs({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const id = await create(api, ['sleep', '1000'], 'none');
  await start(api, id);
  const execOne = async (): Promise<void> => {
    const { Id } = await api.json<{ readonly Id: string }>('POST', `/containers/${id}/exec`, {
      json: { Cmd: ['true'], AttachStdout: true },
    });
    await api.stream('POST', `/exec/${Id}/start`, { json: { Detach: false, Tty: false } });
  };
  const values = await sample(samples(30), execOne);
  await remove(api, id);
  return { floors: floors.exec(samples(10)), values };
}

/** Fifty made and started at once; per container, so that the floor is one `crun run`. Of what podman needs where that was measured 1.9 of it is 0.7, and on a bridge 3.1 is 0.6. */
async function startMany({ engine: { api }, floors, samples }: Bench, network: string): Promise<Measured> {
  const count = 50;
  const values: number[] = [];
  for (let round = 0; round < samples(3); round += 1) {
    const began = performance.now();
    const ids = await Promise.all(Array.from({ length: count }, () => create(api, ['sleep', '1000'], network)));
    await Promise.all(ids.map((id) => start(api, id)));
    values.push((performance.now() - began) / count);
    await Promise.all(ids.map((id) => remove(api, id)));
  }
  return { floors: floors.run(samples(10)), values, note: `${count} in ${((values[0] ?? 0) * count).toFixed(0)} ms` };
}

/** What one more running container costs outside of itself: its monitor, and what the engine keeps for it. */
async function containerMemory({ engine: { api } }: Bench): Promise<Measured> {
  const count = 20;
  const before = engineFootprint();
  const ids = await Promise.all(Array.from({ length: count }, () => create(api, ['sleep', '1000'], 'bridge')));
  await Promise.all(ids.map((id) => start(api, id)));
  await sleep(1000);
  const after = engineFootprint();
  await Promise.all(ids.map((id) => remove(api, id)));
  const proportional = (after.proportionalMB - before.proportionalMB) / count;
  return { values: [(after.residentMB - before.residentMB) / count], note: `${proportional.toFixed(1)} MB proportional` };
}

async function load({ engine: { api }, floors, bigImage, samples }: Bench): Promise<Measured> {
  const image = bigImage();
  const floor = Array.from({ length: samples(3) }, () => floors.unpack(image));
  const values: number[] = [];
  const syncs: number[] = [];
  for (let round = 0; round < samples(3); round += 1) {
    await removeImage(api);
    execFileSync('sync');
    values.push(...(await sample(1, () => loadBig(api, image), 0)));
    // What the answer did not wait for: the files have their blob on the disk, and are written later.
    syncs.push(...(await sample(1, async () => execFileSync('sync'), 0)));
  }
  const speed = (image.sizeBytes / 1e6 / (values[0] ?? 1)) * 1000;
  return { floors: floor, values, note: `${speed.toFixed(0)} MB/s, a sync after it ${summarise(syncs).median.toFixed(0)} ms` };
}

async function save({ engine: { api }, floors, bigImage, samples }: Bench): Promise<Measured> {
  const image = bigImage();
  if ((await api.call('GET', `/images/${bigImageReference}/json`)).status !== 200) await loadBig(api, image);
  const saveBig = async (): Promise<void> => {
    const bytes = await download(api.socketPath, `/images/${bigImageReference}/get`);
    if (bytes < image.sizeBytes * 0.99) throw new Error(`${bytes} bytes of ${image.sizeBytes} came`);
  };
  return { floors: Array.from({ length: samples(3) }, () => floors.copy(image)), values: await sample(samples(3), saveBig, 1) };
}

async function loadPeak({ engine: { api, pid }, bigImage }: Bench): Promise<Measured> {
  await removeImage(api);
  if (pid === undefined) return { values: [] };
  const peak = watchPeak(pid);
  await loadBig(api, bigImage());
  return { values: [peak()] };
}

async function listMany(bench: Bench, connections: number): Promise<Measured> {
  await fill(bench.engine.api, 200);
  return rate(bench, '/containers/json?all=1', connections);
}

async function coldStart({ engine: { api }, restart, samples }: Bench): Promise<Measured> {
  await fill(api, 200);
  const values: number[] = [];
  for (let round = 0; round < samples(5); round += 1) values.push((await restart()).startedMs ?? Number.NaN);
  return { values };
}

async function loadBig(api: Api, { path }: BigImage): Promise<void> {
  await upload(api.socketPath, '/images/load?quiet=1', path);
}

async function removeImage(api: Api): Promise<void> {
  await api.call('DELETE', `/images/${bigImageReference}?force=1`);
}
