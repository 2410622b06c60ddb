import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { languages, type Plan } from '../../sdk/create/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { type CliResult, DockerApi } from '../support/clients/docker-api.ts';
import { type BuiltPlugin, builtLanguages, builtPlugins } from '../support/plugins/language-plugins.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { gantrySdk, program } from '../support/machine/stranger.ts';

// Before the namespaces, which have no network.
const built = new Map<string, readonly BuiltPlugin[]>(builtLanguages.map((lang) => [lang, builtPlugins(lang)]));

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'created-'));
const noDocker = spawnSync('docker', ['--version']).error === undefined ? undefined : 'needs the docker CLI';
const options = { timeout: 120_000 };
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder });
  api = new DockerApi(daemon.places.socketPath);
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  if (noDocker === undefined) await docker('load', '-i', join(folder, 'busybox.tar'));
});
after(() => daemon[Symbol.asyncDispose]());

const docker = async (...args: readonly string[]): Promise<string> => printed(`docker ${args.join(' ')}`, await api.docker(args));
async function gantryPlugin(...args: readonly string[]): Promise<string> {
  const env = { GANTRY_HOST: `unix://${daemon.places.socketPath}` };
  return printed(`gantry plugin ${args.join(' ')}`, await program('core/bin/gantry.mjs', ['plugin', ...args], { env }));
}
function printed(command: string, { code, stdout, stderr }: CliResult): string {
  assert.equal(code, 0, `${command}: ${stderr}\n${daemon.log.slice(-4_000)}`);
  return stdout.trimEnd();
}

/** A folder as its author has it after `npm test`. */
async function made(lang: string, kind: Plan['kind']): Promise<BuiltPlugin> {
  const found = built.get(lang)?.find(({ kind: other }) => other === kind);
  if (found !== undefined) return found;
  const name = `${lang}-${kind}`;
  const dir = join(folder, name);
  const { code, stderr } = await gantrySdk('create', dir, '--kind', kind, '--lang', lang);
  assert.equal(code, 0, stderr);
  return { kind, name, built: { dir } };
}

/** Looked at, packed and installed as the README says: its driver's name, or why it is not there. */
async function installed(lang: string, kind: Plan['kind']): Promise<{ readonly name: string } | { readonly missing: string }> {
  if (noDocker !== undefined) return { missing: noDocker };
  const { name, built: found } = await made(lang, kind);
  if ('missing' in found) return found;
  const packed = join(folder, `${name}.tgz`);
  assert.doesNotMatch(await gantryPlugin('doctor', found.dir), /^(warn|fail)/m);
  await gantryPlugin('pack', found.dir, '-o', packed);
  assert.deepEqual(published(packed), ['README.md', 'gantry-plugin.json', 'package.json', ...runs(lang)].toSorted());
  assert.equal(await gantryPlugin('install', '--grant-all-permissions', packed), name);
  return { name };
}

/** What a package holds, without the folders that a build fills. */
function published(tarball: string): readonly string[] {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name !== '' && !name.endsWith('/'));
  return files
    .map((name) => name.replace('package/', ''))
    .filter((name) => !/^(lib|gen)\//.test(name))
    .toSorted();
}

/** What is started, and neither sources nor tests. */
function runs(lang: string): readonly string[] {
  const programs: Readonly<Record<string, readonly string[]>> = {
    go: ['driver'],
    python: ['driver.py', 'failure.py', 'main.py'],
    sh: ['driver', 'main.js'],
    js: ['main.js'],
    ts: ['main.ts'],
  };
  return programs[lang] ?? [];
}

/** What containers do to volumes: folders of other users, closed to all others, and sticky ones. */
const unkind =
  'mkdir -p own/below && echo kept > own/below/file && mkdir shut sticky && touch sticky/file && chmod 1777 sticky && chmod 700 shut && chown -R 33:33 shut sticky';

for (const [lang, { kinds }] of Object.entries(languages)) {
  test(`a volume driver made in ${lang} is packed, installed, used by containers and removed`, options, async (context) => {
    const found = await installed(lang, 'volume');
    if ('missing' in found) return context.skip(found.missing);
    const { name } = found;
    // The samples in TypeScript and JavaScript describe mounts of a server, which is not here.
    const isServer = lang === 'ts' || lang === 'js';
    const given = isServer ? ['-o', 'server=127.0.0.1', '-o', 'path=/export'] : [];
    await docker('volume', 'create', '-d', name, ...given, 'v1');
    const run = (script: string) =>
      docker('run', '--rm', '--network', 'none', '-v', 'v1:/data', '-w', '/data', 'busybox', 'sh', '-c', script);
    if (!isServer) {
      await run(unkind);
      assert.equal(await run('cat own/below/file'), 'kept');
    }
    await docker('volume', 'rm', 'v1');
    assert.equal(await docker('volume', 'ls', '-q'), '');
    const refused = await api.docker(['volume', 'create', '-d', name, ...given, '-o', 'colour=red', 'v2']);
    assert.match(refused.stderr, /option "?colour/);
    await gantryPlugin('rm', '-f', name);
  });

  // The samples in TypeScript and JavaScript ask a service for addresses, which is not here.
  if (kinds.includes('ipam') && builtLanguages.some((one) => one === lang)) {
    test(`an ipam driver made in ${lang} is packed, installed, gives containers addresses and is removed`, options, async (context) => {
      const found = await installed(lang, 'ipam');
      if ('missing' in found) return context.skip(found.missing);
      await docker('network', 'create', '--ipam-driver', found.name, 'n3');
      const address = () => docker('run', '--rm', '--network', 'n3', 'busybox', 'ip', '-4', 'address', 'show', 'eth0');
      assert.match(await address(), /inet 10\.128\.0\.2\/24/);
      assert.match(await address(), /inet 10\.128\.0\.2\/24/, 'the address of who is gone is free again');
      await docker('network', 'rm', 'n3');
      await gantryPlugin('rm', '-f', found.name);
    });
  }

  if (kinds.includes('log')) {
    test(`a log driver made in ${lang} is packed, installed, gets what containers print and is removed`, options, async (context) => {
      const found = await installed(lang, 'log');
      if ('missing' in found) return context.skip(found.missing);
      const logging = ['--log-driver', found.name, '--log-opt', 'prefix=said '];
      await docker('run', '--name', `speaker-${lang}`, '--network', 'none', ...logging, 'busybox', 'echo', 'works');
      assert.equal(await docker('logs', `speaker-${lang}`), 'works');
      const id = await docker('inspect', '-f', '{{.Id}}', `speaker-${lang}`);
      const stored = () => globSync(join(daemon.places.dataRoot, 'plugins/**', `${id}.log`)).map((path) => readFileSync(path, 'utf8'));
      for (let tries = 0; tries < 400 && stored().join('') === ''; tries += 1) await sleep(50);
      assert.match(stored().join(''), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z said works\n$/);
      await docker('rm', `speaker-${lang}`);
      for (let tries = 0; tries < 400 && stored().length > 0; tries += 1) await sleep(50);
      assert.deepEqual(stored(), []);
      await gantryPlugin('rm', '-f', found.name);
    });
  }

  if (!kinds.includes('network')) continue;
  test(`a network driver made in ${lang} is packed, installed, used by containers and removed`, options, async (context) => {
    const found = await installed(lang, 'network');
    if ('missing' in found) return context.skip(found.missing);
    const { name } = found;
    await docker('network', 'create', '-d', name, '-o', 'mtu=1400', 'n1');
    await docker('run', '-d', '--name', 'one', '--network', 'n1', 'busybox', 'sleep', '1000');
    const seen = await docker('run', '--rm', '--network', 'n1', 'busybox', 'sh', '-c', 'ping -c 1 -W 5 one && cat /sys/class/net/eth0/mtu');
    assert.match(seen, /1 packets received[^]*^1400$/m);
    await docker('rm', '-f', 'one');
    await docker('network', 'rm', 'n1');
    const refused = await api.docker(['network', 'create', '-d', name, '-o', 'mtu=67', 'n2']);
    assert.match(refused.stderr, /mtu/);
    assert.equal(refused.code, 1);
    await gantryPlugin('rm', '-f', name);
  });
}
