import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeManagedPlugin } from '../../plugins/managed-plugin.ts';
import type { Cases, World } from './world.ts';

/** Managed plugins. Most cases have a small one, which nobody can enable. */
export const pluginCases: Cases = {
  'plugin create': async (world, command) => {
    const name = `acme/${world.name('plugin')}`;
    assert.equal(await world.docker(...command, name, smallPlugin(world)), name);
    assert.equal(await stateOf(world, name), `${name}:latest false`);
    assert.match(await world.refused(...command, name, smallPlugin(world)), /installed already|already exists/);
    await world.docker('plugin', 'rm', name);
  },
  'plugin enable': async (world, command) => {
    const name = await realPlugin(world);
    assert.equal(await world.docker(...command, name), name);
    assert.equal(await stateOf(world, name), `${name}:latest true`);
    await world.docker('volume', 'create', '-d', name, 'made-by-it');
    await world.docker('volume', 'rm', 'made-by-it');
    assert.match(await world.refused(...command, name), /is (already )?enabled/);
    await world.docker('plugin', 'rm', '-f', name);
  },
  'plugin disable': async (world, command) => {
    const name = await realPlugin(world);
    assert.match(await world.refused(...command, name), /is (already )?disabled/);
    await world.docker('plugin', 'enable', name);
    assert.equal(await world.docker(...command, name), name);
    assert.equal(await stateOf(world, name), `${name}:latest false`);
    await world.docker('plugin', 'rm', name);
  },
  'plugin inspect': async (world, command) => {
    const name = await createdPlugin(world);
    assert.equal(
      await world.docker(...command, '-f', '{{.Name}} {{.Enabled}} {{.Config.Entrypoint}}', name),
      `${name}:latest false [/bin/busybox]`,
    );
    assert.match(await world.refused(...command, 'nope'), /nope.*not found/);
    await world.docker('plugin', 'rm', name);
  },
  'plugin install': async (world, command) => {
    const reference = await pushedPlugin(world);
    const said = await world.docker(...command, '--disable', '--grant-all-permissions', '--alias', 'mine', reference, 'SIZE=7m');
    assert.match(said, new RegExp(`Digest: sha256:[0-9a-f]{64}\\nStatus: .*\\nInstalled plugin ${reference}$`));
    assert.equal(await world.docker('plugin', 'inspect', '-f', '{{.Settings.Env}} {{.PluginReference}}', 'mine'), `[SIZE=7m] ${reference}`);
    await world.docker('plugin', 'rm', 'mine');
  },
  'plugin ls': async (world, command) => {
    const name = await createdPlugin(world);
    assert.match(await world.docker(...command), /^ID +NAME +DESCRIPTION +ENABLED\n/);
    assert.equal(await world.docker(...command, '--filter', 'enabled=false', '--format', '{{.Name}}'), `${name}:latest`);
    assert.match(await world.docker(...command, '-q', '--no-trunc', '--filter', 'enabled=false'), /^[0-9a-f]{64}$/);
    await world.docker('plugin', 'rm', name);
  },
  'plugin push': async (world, command) => {
    const reference = `${world.registry}/acme/${world.name('plugin')}:1`;
    await world.docker('plugin', 'create', reference, smallPlugin(world));
    assert.match(
      await world.docker(...command, reference),
      /^The push refers to repository \[[^]*1: digest: sha256:[0-9a-f]{64} size: \d+$/,
    );
    await world.docker('plugin', 'rm', reference);
  },
  'plugin rm': async (world, command) => {
    const name = await createdPlugin(world);
    assert.equal(await world.docker(...command, name), name);
    assert.match(await world.refused(...command, name), /not found/);
  },
  'plugin set': async (world, command) => {
    const name = await createdPlugin(world);
    await world.docker(...command, name, 'SIZE=9m');
    assert.equal(await world.docker('plugin', 'inspect', '-f', '{{.Settings.Env}}', name), '[SIZE=9m]');
    assert.match(await world.refused(...command, name, 'NOPE=1'), /"NOPE" not found/);
    await world.docker('plugin', 'rm', name);
  },
  'plugin upgrade': async (world, command) => {
    const [first, second] = [await pushedPlugin(world), await pushedPlugin(world)];
    await world.docker('plugin', 'install', '--disable', '--grant-all-permissions', '--alias', 'mine', first);
    const said = await world.docker(...command, '--grant-all-permissions', '--skip-remote-check', 'mine', second);
    assert.match(said, new RegExp(`Upgraded plugin mine:latest to ${second}$`));
    assert.equal(await world.docker('plugin', 'inspect', '-f', '{{.PluginReference}}', 'mine'), second);
    await world.docker('plugin', 'rm', 'mine');
  },
};

const stateOf = (world: World, name: string): Promise<string> => world.docker('plugin', 'inspect', '-f', '{{.Name}} {{.Enabled}}', name);

/** A folder for `docker plugin create` with a root of one file. */
function smallPlugin(world: World): string {
  const folder = world.folder();
  mkdirSync(join(folder, 'rootfs'));
  writeFileSync(join(folder, 'rootfs/file'), world.name('content'));
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      description: 'a plugin',
      interface: { types: ['docker.volumedriver/1.0'], socket: 'small.sock' },
      entrypoint: ['/bin/busybox'],
      network: { type: 'host' },
      linux: { capabilities: ['CAP_SYS_ADMIN'] },
      env: [{ name: 'SIZE', value: '1m', settable: ['value'] }],
    }),
  );
  return folder;
}

async function createdPlugin(world: World): Promise<string> {
  const name = `acme/${world.name('plugin')}`;
  await world.docker('plugin', 'create', name, smallPlugin(world));
  return name;
}

/** In the registry alone; its reference. */
async function pushedPlugin(world: World): Promise<string> {
  const reference = `${world.registry}/acme/${world.name('plugin')}:1`;
  await world.docker('plugin', 'create', reference, smallPlugin(world));
  await world.docker('plugin', 'push', reference);
  await world.docker('plugin', 'rm', reference);
  return reference;
}

/** One that serves volumes; its root brings a Node, so its folder goes at once. */
async function realPlugin(world: World): Promise<string> {
  const [name, folder] = [`acme/${world.name('plugin')}`, world.folder()];
  writeManagedPlugin(folder);
  await world.docker('plugin', 'create', name, folder);
  rmSync(folder, { recursive: true });
  return name;
}
