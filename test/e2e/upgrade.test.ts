import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { connect } from '@gantry/sdk/client';
import { migrations } from '../../core/metadata/schema.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'upgrade-'));
const timeout = 120_000;
let engine: Daemon;
before(async () => {
  engine = await Daemon.start({ folder });
  const { api } = engine;
  await api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await api.json('POST', '/volumes/create', { json: { Name: 'kept', Labels: { a: 'b' } } });
  await api.json('POST', '/networks/create', { json: { Name: 'net', IPAM: { Config: [{ Subnet: '10.79.0.0/24' }] } } });
  await create('over', { Cmd: ['sh', '-c', 'echo said; echo row > /data/row; exit 5'] });
  await create('runs', { Cmd: ['sleep', '1000'] });
  for (const name of ['over', 'runs']) await api.json('POST', `/containers/${name}/start`);
  await api.json('POST', '/containers/over/wait');
});
after(() => engine[Symbol.asyncDispose]());

const create = (name: string, config: object) =>
  engine.api.json('POST', `/containers/create?name=${name}`, {
    json: { Image: 'busybox', StopSignal: 'SIGKILL', HostConfig: { NetworkMode: 'net', Binds: ['kept:/data'] }, ...config },
  });

/** What must be the same afterwards. */
async function known(): Promise<object> {
  const { api } = engine;
  const of = async (name: string) => {
    const { Id, Config, State, Mounts } = await api.json<Record<'Id' | 'Config' | 'Mounts', unknown> & { State: Record<string, unknown> }>(
      'GET',
      `/containers/${name}/json`,
    );
    return { Id, Config, Mounts, Status: State['Status'], ExitCode: State['ExitCode'], Pid: State['Pid'] };
  };
  const images = await api.json<readonly { Id: string; RepoTags: string[]; Size: number }[]>('GET', '/images/json');
  return {
    containers: [await of('over'), await of('runs')],
    images: images.map(({ Id, RepoTags, Size }) => ({ Id, RepoTags, Size })),
    volumes: (await api.json<{ Volumes: unknown }>('GET', '/volumes')).Volumes,
    network: await api.json('GET', '/networks/net'),
    log: await api.call('GET', '/containers/over/logs?stdout=1').then(({ body }) => body.slice(8)),
  };
}

async function changeStore(change: (store: DatabaseSync) => void): Promise<void> {
  await engine.kill('SIGTERM');
  const store = new DatabaseSync(join(engine.places.dataRoot, 'metadata.db'));
  change(store);
  store.close();
}

/** What takes a migration back, from the second on. */
const undo: readonly string[] = [
  'DROP TABLE plugins',
  'ALTER TABLE layers DROP COLUMN unsettled; ALTER TABLE images DROP COLUMN used; ALTER TABLE rw_layers DROP COLUMN quota_bytes',
  'DROP TABLE volume_secrets',
  'DROP TABLE image_manifests; DROP TRIGGER compressed_layers_go; DROP TABLE compressed_layers',
  'DROP TABLE build_cache',
  'DROP TABLE build_history',
  'DROP TABLE index_images; DROP TABLE image_indexes; DROP INDEX image_refs_index; ALTER TABLE image_refs DROP COLUMN index_digest',
];

test('every change of the schema can be taken back here', () => assert.equal(undo.length, migrations.length - 1));

for (let schema = migrations.length - 1; schema > 0; schema -= 1) {
  test(`an engine that finds a store of schema ${schema} keeps what is in it, and its running containers`, { timeout }, async () => {
    const earlier = await known();
    await changeStore((store) => {
      for (const sql of undo.slice(schema - 1).toReversed()) store.exec(sql);
      store.exec(`PRAGMA user_version=${schema}`);
    });
    engine = await Daemon.start({ folder });
    assert.deepEqual(await known(), earlier);
    const { findings } = await connect({ host: `unix://${engine.places.socketPath}` }).system.check();
    assert.deepEqual(findings, []);
    await create('reader', { Cmd: ['grep', '-qx', 'row', '/data/row'] });
    await engine.api.json('POST', '/containers/reader/start');
    assert.deepEqual(await engine.api.json('POST', '/containers/reader/wait'), { StatusCode: 0 });
    await engine.api.json('DELETE', '/containers/reader');
  });
}

test('a store of a newer schema is refused in one line with what to do, and left as it is', { timeout }, async () => {
  const earlier = await known();
  const path = join(engine.places.dataRoot, 'metadata.db');
  const version = (to: number) => (store: DatabaseSync) => store.exec(`PRAGMA user_version=${to}`);
  await changeStore(version(999));
  await assert.rejects(Daemon.start({ folder }), (error: Error) => {
    const lines = error.message.split('\n');
    const told = lines.findIndex(
      (line) => line === `gantryd: ${path} was written by a newer version (schema 999, this one knows ${migrations.length})`,
    );
    assert.ok(told >= 0, error.message);
    assert.equal(lines[told + 1], 'hint: start the newer gantry again, or use another --data-root');
    return true;
  });
  await changeStore((store) => {
    assert.equal(store.prepare('PRAGMA user_version').get()?.['user_version'], 999);
    version(migrations.length)(store);
  });
  engine = await Daemon.start({ folder });
  assert.deepEqual(await known(), earlier);
});
