import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { nodeFlags } from '../../core/cli/daemon/index.ts';
import { buildPackage, top } from '../build/package.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon, type Places } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'build-'));
const built = join(folder, 'package');
let daemon: Daemon;
before(async () => {
  await buildPackage(built, { withTypes: false });
  // All that npm would install with it.
  mkdirSync(join(built, 'node_modules'));
  symlinkSync(join(top, 'node_modules/koffi'), join(built, 'node_modules/koffi'));
  daemon = await Daemon.start({ folder, command });
});
after(() => daemon[Symbol.asyncDispose]());

function command({ dataRoot, execRoot, socketPath }: Places): readonly string[] {
  const flags = ['--data-root', dataRoot, '--exec-root', execRoot, '--host', `unix://${socketPath}`];
  return [process.execPath, ...nodeFlags, join(built, 'core/bin/gantryd.mjs'), ...flags];
}

async function gantry(...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(built, 'core/bin/gantry.mjs'), ...words], {
    env: { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}` },
  });
  return stdout;
}

test('buildPackage() makes an engine that loads an image and runs a container on a network, with a volume', {
  timeout: 60_000,
}, async () => {
  const archive = join(folder, 'busybox.tar');
  writeFileSync(archive, busyboxImage().archive);
  assert.equal(await gantry('load', '-i', archive), 'Loaded image: busybox:latest\n');
  const script = 'echo $(hostname) && cat /proc/net/route | grep -c eth0 && touch /data/kept';
  assert.equal(await gantry('run', '--name', 'box', '-h', 'box', '-v', 'kept:/data', 'busybox', 'sh', '-c', script), 'box\n2\n');
  assert.equal(await gantry('logs', 'box'), 'box\n2\n');
  await gantry('rm', 'box');
  assert.match(await gantry('run', '--rm', '-v', 'kept:/data', 'busybox', 'ls', '/data'), /kept/);
});

test('buildPackage() keeps the version, every plugin and the text of every command', { timeout: 60_000 }, async () => {
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { readonly version: string };
  assert.equal(await gantry('--version'), `gantry version ${version}\n`);
  const plugins = globSync('plugins/*/*/gantry-plugin.json', { cwd: top });
  const list = await gantry('plugin', 'ls');
  assert.equal(list.trim().split('\n').length, plugins.length + 1, list);
  assert.match(await gantry('run', '--help'), /--publish/);
});

test('buildPackage() bundles everything but koffi, and tells whose code it is', () => {
  const { dependencies } = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')) as { readonly dependencies: object };
  assert.deepEqual(Object.keys(dependencies), ['koffi']);
  assert.match(readFileSync(join(built, 'LICENCES'), 'utf8'), /^fastify \S+ \(MIT\)$/m);
});
