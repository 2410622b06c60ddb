import type { Api } from '../support/api.ts';
import { endOfArchive, entry, header } from '../support/tar-builder.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** What a container changed: 5,000 files of 4 KiB in fifty folders. */
export const changeScenarios: Readonly<Record<string, Scenario>> = {
  // 0.3 and 0.4 of what podman needs where that was measured.
  'diff-5000': { unit: 'ms', target: { atMost: 6 }, measure: diff },
  'commit-5000': { unit: 'ms', target: { atMost: 3 }, measure: commit },
};

const files = 5000;

async function diff({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const id = await changed(api);
  const count = (await api.json<readonly unknown[]>('GET', `/containers/${id}/changes`)).length;
  if (count < files) throw new Error(`${count} changes were told`);
  const values = await sample(samples(15), () => api.call('GET', `/containers/${id}/changes`));
  await api.call('DELETE', `/containers/${id}?force=1`);
  return { floors: floors.find(archive(), samples(15)), values, note: `${count} changes` };
}

async function commit({ engine: { api }, floors, samples }: Bench): Promise<Measured> {
  const id = await changed(api);
  const commitOne = async (): Promise<void> => {
    await api.json('POST', `/commit?container=${id}&repo=gantry-bench/committed`);
  };
  const values: number[] = [];
  for (let round = 0; round < samples(6); round += 1) {
    values.push(...(await sample(1, commitOne, 0)));
    await api.call('DELETE', '/images/gantry-bench/committed?force=1');
  }
  await api.call('DELETE', `/containers/${id}?force=1`);
  return { floors: floors.repack(archive(), samples(6)), values };
}

/** A container that was never started, with the files copied into it. */
async function changed(api: Api): Promise<string> {
  const json = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
  const { Id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  await api.stream('PUT', `/containers/${Id}/archive?path=/`, { body: archive() });
  return Id;
}

function archive(): Buffer {
  const content = Buffer.alloc(4096, 'changed ');
  const parts: Buffer[] = [];
  for (let file = 0; file < files; file += 1) {
    const folder = `changed/folder${Math.floor(file / 100)}`;
    if (file % 100 === 0) parts.push(header({ name: `${folder}/`, type: '5', mode: 0o755 }));
    parts.push(entry(`${folder}/file${file}`, content));
  }
  return Buffer.concat([...parts, endOfArchive]);
}
