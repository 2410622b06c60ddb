import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mount, umount2 } from '@gantry/sdk/linux';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
let under: EngineUnderTest;
before(async () => {
  const dir = join(folder, 'folders');
  mkdirSync(dir);
  const manifest = {
    manifestVersion: 1,
    name: 'folders',
    version: '1.0.0',
    provides: [{ contract: 'volume', versions: ['v1'], drivers: ['folders'] }],
    entry: { node: 'main.mjs' },
  };
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify(manifest));
  writeFileSync(
    join(dir, 'main.mjs'),
    `import { bind, t, volume } from '@gantry/sdk/author';
    export default volume({
      name: 'folders', options: { path: t.Optional(t.String()) },
      create: ({ name }, { data }) => data.mkdirs(name),
      remove: async ({ name, options }, { data, host }) => options.path === undefined ? data.remove(name) : host.removeData(options.path),
      attach: ({ name }) => [bind(name)],
    });`,
  );
  under = await EngineUnderTest.open();
  await under.engine.plugins.install({ source: dir, grant: 'all', enable: true });
});
after(async () => {
  await under[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const dataDir = () => join(under.folder, 'data/plugins', under.engine.plugins.inspect('folders').id.slice(0, 12));
async function written(name: string, script: string): Promise<void> {
  await under.engine.volumes.create({ name, driver: 'folders' });
  const { exitCode, stderr } = await under.run(script, { hostConfig: { Binds: [`${name}:/data`] } });
  assert.equal(exitCode, 0, stderr);
}

test('a volume of a plugin with a user of its own is removed with all that containers wrote, whoever it belongs to', async () => {
  await written('deep', 'mkdir -p /data/a/b && echo x > /data/a/b/c && chmod 700 /data/a && ln -s /etc/passwd /data/link');
  assert.ok(existsSync(join(dataDir(), 'deep/a/b/c')));
  await under.engine.volumes.remove('deep', { force: false });
  await written('given', 'mkdir /data/x && chown 999:999 /data /data/x && chmod 700 /data');
  await under.engine.volumes.remove('given', { force: false });
  assert.deepEqual(
    readdirSync(dataDir()).filter((name) => !name.startsWith('.')),
    [],
  );
});

/** What the plugin asks for when its volume is removed. */
async function asks(path: string): Promise<void> {
  const name = `asks-${Math.random().toString(36).slice(2)}`;
  await under.engine.volumes.create({ name, driver: 'folders', options: { path } });
  try {
    await under.engine.volumes.remove(name, { force: false });
  } finally {
    rmSync(join(dataDir(), name), { recursive: true, force: true });
  }
}

test('HostContext.removeData() deletes nothing that is not below the data folder, and nothing that is mounted in it', async () => {
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), '');
  for (const path of ['/etc', '.', '..', '../x', 'a/../..']) await assert.rejects(asks(path), { code: 'forbidden' });
  await asks('not/there');
  symlinkSync(outside, join(dataDir(), 'link'));
  await asks('link/kept');
  await asks('link');
  assert.ok(existsSync(join(outside, 'kept')));
  assert.ok(!existsSync(join(dataDir(), 'link')));
  mkdirSync(join(dataDir(), 'holder/mnt'), { recursive: true });
  mount('tmpfs', join(dataDir(), 'holder/mnt'), { type: 'tmpfs' });
  writeFileSync(join(dataDir(), 'holder/mnt/kept'), '');
  await assert.rejects(asks('holder'), { code: 'conflict', message: /holder\/mnt is on another file system/ });
  assert.ok(existsSync(join(dataDir(), 'holder/mnt/kept')));
  umount2(join(dataDir(), 'holder/mnt'), 0);
  await asks('holder');
  assert.ok(!existsSync(join(dataDir(), 'holder')));
});
