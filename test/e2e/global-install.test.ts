import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { runClient } from '../support/clients/clients.ts';
import { Daemon, flagsFor } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { type NpmRegistry, npmRegistry } from '../support/servers/npm-registry.ts';
import { type Packages, packedTarballs } from '../support/plugins/packed.ts';

inNamespaces(import.meta.url, {
  cgroups: 'v1',
  missing: spawnSync('npm', ['--version']).error === undefined ? undefined : 'needs npm',
});

const timeout = 300_000;
const top = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'global-'));
const prefix = join(folder, 'prefix');
let registry: NpmRegistry;
let packages: Packages;
before(async () => {
  mkdirSync(prefix);
  registry = await npmRegistry(join(folder, 'registry'));
  packages = await packedTarballs(join(folder, 'published'));
});
after(() => registry[Symbol.asyncDispose]());

/** With this Node, whatever the machine's is, and nothing of the user's settings. */
const environment = () => ({
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  npm_config_registry: registry.url,
  npm_config_cache: join(folder, 'cache'),
  npm_config_userconfig: '/dev/null',
  npm_config_update_notifier: 'false',
  HOME: folder,
});
async function run(cwd: string, ...command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runClient(command, { cwd, env: environment() });
  assert.equal(code, 0, `${command.join(' ')}: ${stdout}${stderr}`);
  return stdout.trimEnd();
}
const installed = (modules: string): readonly string[] =>
  globSync('{*,@*/*,**/node_modules/{*,@*/*}}/package.json', { cwd: modules })
    .map((path) => /((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(path)?.[1] ?? path)
    .filter((name) => !name.startsWith('@gantry/'))
    .toSorted();

const triple = `koffi-${process.platform}-${process.arch}`;

test('the engine’s package installed globally brings itself, koffi and nothing else', { timeout }, async () => {
  await run(folder, 'npm', 'install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', packages.engine);
  const own = join(prefix, 'lib/node_modules/@gantry/engine');
  assert.deepEqual(installed(join(own, 'node_modules')), [`@koromix/${triple}`, 'koffi']);
  assert.deepEqual(
    [...registry.asked].filter((name) => !name.startsWith('@koromix/')),
    ['koffi'],
  );
  assert.deepEqual(
    globSync('**/*.ts', { cwd: own, exclude: ['**/node_modules/**'] }).filter((path) => !path.endsWith('.d.ts')),
    [],
  );
});

test('gantry and gantryd of that installation run: help, an engine, a container', { timeout }, async () => {
  const gantry = join(prefix, 'bin/gantry');
  assert.match(await run(folder, gantry, '--help'), /^Usage: gantry /);
  const [, version] = /^gantry (version .*)$/.exec(await run(folder, gantry, '--version')) ?? [];
  assert.equal(await run(folder, join(prefix, 'bin/gantryd'), '--version'), `gantryd ${version}`);
  await using engine = await Daemon.start({
    folder: join(folder, 'engine'),
    env: environment(),
    command: (places) => [join(prefix, 'bin/gantryd'), ...flagsFor(places)],
  });
  const archive = join(folder, 'busybox.tar');
  writeFileSync(archive, busyboxImage().archive);
  const host = `unix://${engine.places.socketPath}`;
  assert.equal(await run(folder, gantry, '-H', host, 'load', '-i', archive), 'Loaded image: busybox:latest');
  assert.equal(await run(folder, gantry, '-H', host, 'run', '--rm', '-v', 'vol:/data', 'busybox', 'echo', 'installed'), 'installed');
  const plugins = await run(folder, gantry, '-H', host, 'plugin', 'ls', '--format', 'json');
  assert.match(plugins, /gantry\.frontend\.docker/);
});

test('the SDK’s package installed globally brings what it depends on, and its command makes a plugin', { timeout }, async () => {
  await run(folder, 'npm', 'install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', packages.sdk);
  const { devDependencies } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { readonly devDependencies: object };
  const brought = installed(join(prefix, 'lib/node_modules/@gantry/sdk/node_modules'));
  const { dependencies } = JSON.parse(readFileSync(join(top, 'sdk/package.json'), 'utf8')) as { readonly dependencies: object };
  for (const name of Object.keys(dependencies)) assert.ok(brought.includes(name), name);
  // protobufjs has the types of Node among what it needs.
  assert.deepEqual(
    Object.keys(devDependencies).filter((name) => brought.includes(name) && name !== '@types/node'),
    [],
  );
  await run(folder, join(prefix, 'bin/gantry-sdk'), 'create', 'mine', '--kind', 'volume', '--lang', 'js');
  assert.match(readFileSync(join(folder, 'mine/gantry-plugin.json'), 'utf8'), /"name": "mine"/);
});

const consumer = `import { createEngine, type EngineOptions, type LocalEngine } from '@gantry/engine';
import { GantryError, type Logger } from '@gantry/sdk';
import { volume, bind } from '@gantry/sdk/author';
import { connect } from '@gantry/sdk/client';

const options: EngineOptions = { dataRoot: '/nowhere' };
export async function embedded(): Promise<string> {
  const engine: LocalEngine = await createEngine(options);
  const { name } = await engine.volumes.create({ name: 'x' });
  return name;
}
export const plugin: unknown = volume({ name: 'x', version: '1', create: (v, { data }) => data.mkdirs(v.name), attach: (v) => [bind(v.name)] });
export const isOurs = (error: unknown): boolean => GantryError.is(error);
export const listed = async () => (await connect({ host: 'unix:///x' }).containers.list({ all: true })).map(({ Id }) => Id);
export type { Logger };
// @ts-expect-error: it is not any
export const wrong: EngineOptions = { dataRoot: 7 };
`;

test('a program in TypeScript that uses both packages compiles, with nothing of Node’s left unchecked', { timeout }, async () => {
  const place = join(folder, 'consumer');
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{ "name": "consumer", "type": "module", "private": true }');
  writeFileSync(join(place, 'main.ts'), consumer);
  await run(place, 'npm', 'install', '--no-audit', '--no-fund', packages.engine, packages.sdk, '@types/node');
  const words = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--module',
    'nodenext',
    '--target',
    'esnext',
    '--types',
    'node',
    'main.ts',
  ];
  await run(place, process.execPath, join(top, 'node_modules/typescript/bin/tsc'), ...words);
});
