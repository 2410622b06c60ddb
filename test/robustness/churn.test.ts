import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from '@gantry/sdk/client';
import { busyboxImage, busyboxLayer } from '../support/busybox.ts';
import { Daemon } from '../support/daemon.ts';
import { withExt4 } from '../support/ext4.ts';
import { makeImage } from '../support/image-archive.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { endOfArchive, entry } from '../support/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const rounds = 200;
const disk = withExt4({ folder: mkdtempSync(join(tmpdir(), 'churn-')) });
let engine: Daemon;

before(async () => {
  engine = await Daemon.start({ folder: join(disk.path, 'engine') });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});

after(async () => {
  await engine.kill();
  await disk[Symbol.asyncDispose]();
});

test(`${rounds} loads and creations while everything unused is pruned: nothing fails, and the store is whole`, {
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
  await Promise.all(['left', 'right'].map((name) => churn(name)));
  isOver = true;
  assert.ok((await pruning) > 10, 'hardly anything was pruned meanwhile');
  const { findings } = await connect({ host: `unix://${engine.places.socketPath}` }).system.check();
  assert.deepEqual(findings, []);
});

/** Each load takes the name from the image before, which so becomes one that prune removes. */
async function churn(name: string): Promise<void> {
  const { api } = engine;
  for (let round = 0; round < rounds / 2; round += 1) {
    const layers = [busyboxLayer(), Buffer.concat([entry('etc/round', `${name} ${round}`), endOfArchive])];
    await api.stream('POST', '/images/load?quiet=1', { body: makeImage({ reference: `${name}:1`, layers }).archive });
    const command = ['grep', '-qx', `${name} ${round}`, '/etc/round'];
    await createContainer(api, name, { image: `${name}:1`, command, hostConfig: { Mounts: [{ Type: 'volume', Target: '/etc/vol' }] } });
    if (round % 10 === 0) assert.equal(await runToEnd(api, name), 0);
    await removeContainer(api, name);
  }
}
