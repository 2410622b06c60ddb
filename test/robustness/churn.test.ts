import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from '@gantry/sdk/client';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const rounds = 200;
const disk = withExt4({ folder: mkdtempSync(join(tmpdir(), 'churn-')) });
const registry = await dockerRegistry(join(disk.path, 'registry'));
/** So many images are at the registry; each was pulled and removed often when the rounds are over. */
const published = 10;
const repository = encodeURIComponent(`${registry.host}/churn/app`);
const noLogin = Buffer.from('{}').toString('base64url');
let engine: Daemon;

before(async () => {
  engine = await Daemon.start({ folder: join(disk.path, 'engine') });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  for (let round = 0; round < published; round += 1) await publish(round);
});

after(async () => {
  await engine.kill();
  await registry[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
});

test(`${rounds} loads, pulls and creations while everything unused is pruned: nothing fails, and the store is whole`, {
  timeout: 300_000,
}, async () => {
  const { api } = engine;
  let isOver = false;
  const prune = async (): Promise<number> => {
    let prunes = 0;
    for (; !isOver; prunes += 1) {
      await expect(api, 'POST', '/images/prune', { statuses: [200, 409] });
      await expect(api, 'POST', '/volumes/prune', { statuses: [200, 409] });
      await expect(api, 'GET', '/system/df', { statuses: [200] });
    }
    return prunes;
  };
  const pruning = prune();
  await Promise.all([churn('loaded', load), churn('pulled', pull)]);
  isOver = true;
  assert.ok((await pruning) > 10, 'hardly anything was pruned meanwhile');
  const { findings } = await connect({ host: `unix://${engine.places.socketPath}` }).system.check();
  assert.deepEqual(findings, []);
});

/** Each image takes the name from the one before, which so becomes one that prune removes. */
async function churn(name: string, fetch: (name: string, round: number) => Promise<string>): Promise<void> {
  const { api } = engine;
  for (let round = 0; round < rounds / 2; round += 1) {
    const text = await fetch(name, round);
    const command = ['grep', '-qx', text, '/etc/round'];
    await createContainer(api, name, { image: `${name}:1`, command, hostConfig: { Mounts: [{ Type: 'volume', Target: '/etc/vol' }] } });
    if (round % 10 === 0) assert.equal(await runToEnd(api, name), 0);
    await removeContainer(api, name);
  }
}

async function load(name: string, round: number): Promise<string> {
  await engine.api.stream('POST', '/images/load?quiet=1', { body: archiveOf(`${name}:1`, `${name} ${round}`) });
  return `${name} ${round}`;
}

async function pull(name: string, round: number): Promise<string> {
  const { api } = engine;
  const at = round % published;
  await api.stream('POST', `/images/create?fromImage=${repository}&tag=${at}`);
  await expect(api, 'POST', `/images/${repository}:${at}/tag?repo=${name}&tag=1`, { statuses: [201] });
  await expect(api, 'DELETE', `/images/${repository}:${at}`, { statuses: [200] });
  return `published ${at}`;
}

async function publish(at: number): Promise<void> {
  const { api } = engine;
  await api.stream('POST', '/images/load?quiet=1', { body: archiveOf(`${registry.host}/churn/app:${at}`, `published ${at}`) });
  await api.stream('POST', `/images/${repository}/push?tag=${at}`, { headers: { 'x-registry-auth': noLogin } });
  await expect(api, 'DELETE', `/images/${repository}:${at}`, { statuses: [200] });
}

function archiveOf(reference: string, text: string): Buffer {
  const layers = [busyboxLayer(), Buffer.concat([entry('etc/round', text), endOfArchive])];
  return makeImage({ reference, layers }).archive;
}
