import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { getXattr, setXattr } from '@gantry/sdk/linux';
import { TreeWorkers } from '../../../core/layers/index.ts';
import { fetchPlugin, type InstallTools, offerOf, parseSource, sweepStaging } from '../../../core/plugin-install/index.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { goodManifest, npmRegistry, npmTarball, published, writeFiles } from '../../support/plugins/plugin-sources.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);
leakGuard();

const trees = new TreeWorkers();
// Its thread is here before the leaks are counted.
before(async () => {
  const fd = openSync('/run', 'r');
  await trees.run('sync', { fd });
  closeSync(fd);
});
after(() => trees[Symbol.asyncDispose]());
const noDrivers = { get: () => Promise.reject(new Error('no driver is needed')), preferred: () => Promise.reject(new Error('none')) };
const tools: InstallTools = { drivers: noDrivers, trees, log: quietLog };
const root = mkdtempSync(join(tmpdir(), 'fetch-'));
const plugins = join(root, 'plugins');
mkdirSync(plugins);
let count = 0;
const fresh = (): string => join(plugins, String(++count));
const folder = (files: Readonly<Record<string, unknown>>): string => writeFiles(join(root, `source-${++count}`), files);
const good = { 'gantry-plugin.json': goodManifest, 'main.js': 'export default {}', 'lib/a.js': '' };

test('fetchPlugin() copies a folder, read-only, root-owned, without setuid, capabilities, history and the SDK', async () => {
  const path = folder({ ...good, '.git/config': '', 'node_modules/@gantry/sdk/index.js': '', 'node_modules/dep/index.js': 'dep' });
  writeFileSync(join(path, 'run'), '#!/bin/sh');
  chmodSync(join(path, 'run'), 0o6777);
  setXattr(join(path, 'run'), 'security.capability', Buffer.from('0100000202000000000000000000000000000000', 'hex'));
  symlinkSync('../lib/a.js', join(path, 'node_modules/link'));
  const offer = await offerOf(parseSource(path), fresh(), tools);
  const { dir, ...fetched } = await fetchPlugin(parseSource(`folder:${path}`), fresh(), tools);
  assert.deepEqual(fetched, { manifest: goodManifest, digest: offer.digest, source: `folder:${path}` });
  assert.deepEqual(listing(dir), [
    'gantry-plugin.json 444',
    'lib 555',
    'lib/a.js 444',
    'main.js 444',
    'node_modules 555',
    'node_modules/@gantry 555',
    'node_modules/dep 555',
    'node_modules/dep/index.js 444',
    'node_modules/link 777',
    'run 555',
  ]);
  assert.equal(getXattr(join(dir, 'run'), 'security.capability'), undefined);
  assert.deepEqual(leftovers(), []);
});

test('fetchPlugin() leaves out what npm installed in a folder for its authors alone', async () => {
  const list = {
    packages: {
      'node_modules/dep': {},
      'node_modules/dep/node_modules/types': { dev: true },
      'node_modules/tool': { dev: true },
      'node_modules/both': { devOptional: true },
      'main.js': { dev: true },
    },
  };
  const files = ['dep', 'dep/node_modules/types', 'tool', 'tool/lib', 'both', '.bin'].map((name) => [`node_modules/${name}/x.js`, '']);
  const path = folder({ ...good, ...Object.fromEntries(files), 'node_modules/.package-lock.json': list });
  const offer = await offerOf(parseSource(path), fresh(), tools);
  const { dir, digest } = await fetchPlugin(parseSource(path), fresh(), tools);
  assert.deepEqual(listing(join(dir, 'node_modules')), ['both 555', 'both/x.js 444', 'dep 555', 'dep/node_modules 555', 'dep/x.js 444']);
  assert.ok(existsSync(join(dir, 'main.js')));
  writeFileSync(join(path, 'node_modules/tool/x.js'), 'another version');
  assert.deepEqual([digest, (await offerOf(parseSource(path), fresh(), tools)).digest], [offer.digest, offer.digest]);
  writeFileSync(join(path, 'node_modules/.package-lock.json'), '{');
  assert.notEqual((await offerOf(parseSource(path), fresh(), tools)).digest, offer.digest);
});

test('offerOf() names what a folder asks for in the names that Docker and we have', async () => {
  const { privileges } = await offerOf(parseSource(folder(good)), fresh(), tools);
  assert.deepEqual(
    privileges.map(({ name, value }) => [name, ...value]),
    [
      ['network', 'host'],
      ['mount type', 'nfs4'],
    ],
  );
});

test('fetchPlugin() takes a tarball whose manifest is a key of package.json', async () => {
  const { name: _name, ...rest } = { ...goodManifest, version: undefined };
  const packageJson = { name: 'acme-nfs', version: '3.0.0', description: 'NFS', gantry: { ...rest, name: 'acme.nfs' } };
  const file = join(root, 'one.tgz');
  writeFileSync(file, npmTarball({ 'package.json': JSON.parse(JSON.stringify(packageJson)), 'main.js': '' }));
  const fetched = await fetchPlugin(parseSource(file), fresh(), tools);
  assert.deepEqual(fetched.manifest, { ...goodManifest, version: '3.0.0', description: 'NFS' });
  assert.deepEqual(JSON.parse(readFileSync(join(fetched.dir, 'gantry-plugin.json'), 'utf8')), fetched.manifest);
  assert.deepEqual(await offerOf(parseSource(file), fresh(), tools).then(({ digest, source }) => ({ digest, source })), {
    digest: fetched.digest,
    source: file,
  });
});

test('fetchPlugin() lets npm bring a package and what it depends on, not the SDK, and runs no script', async () => {
  const script = { install: `touch ${join(root, 'was-run')}` };
  await using registry = await npmRegistry([
    published({ name: 'dep', version: '1.0.0', scripts: script }, { 'index.js': 'dep' }),
    published(
      {
        name: '@acme/nfs',
        version: '1.4.0',
        scripts: script,
        dependencies: { dep: '^1', '@gantry/sdk': '^9' },
        devDependencies: { nowhere: '1' },
        peerDependencies: { '@gantry/sdk': '*' },
      },
      { ...good, '.npmrc': 'registry=http://127.0.0.1:1/' },
    ),
  ]);
  const npm = { environment: { npm_config_registry: registry.url } };
  const fetched = await fetchPlugin(parseSource('npm:@acme/nfs@^1'), fresh(), { ...tools, npm });
  assert.deepEqual(
    { source: fetched.source, manifest: fetched.manifest, ran: existsSync(join(root, 'was-run')) },
    { source: 'npm:@acme/nfs@1.4.0', manifest: goodManifest, ran: false },
  );
  assert.deepEqual(listing(join(fetched.dir, 'node_modules')), ['dep 555', 'dep/index.js 444', 'dep/package.json 444']);
  const asked = registry.asked.length;
  const offer = await offerOf(parseSource('npm:@acme/nfs'), fresh(), { ...tools, npm });
  assert.deepEqual([offer.digest, registry.asked.slice(asked).filter((path) => path.startsWith('dep'))], [fetched.digest, []]);
  await assert.rejects(fetchPlugin(parseSource('npm:@acme/none'), fresh(), { ...tools, npm }), { code: 'not_found' });
  await assert.rejects(fetchPlugin(parseSource('npm:@acme/nfs@^7'), fresh(), { ...tools, npm }), { code: 'not_found' });
  assert.deepEqual(leftovers(), []);
});

const bad: readonly (readonly [string, () => string, RegExp])[] = [
  ['a folder that is not there', () => join(root, 'nowhere'), /is not there/],
  ['a file as a folder', () => join(folder(good), 'main.js'), /is no folder/],
  ['a folder without a manifest', () => folder({ 'main.js': '' }), /this is no plugin/],
  ['a manifest that is no JSON', () => folder({ ...good, 'gantry-plugin.json': '{' }), /gantry-plugin.json is no JSON/],
  ['a manifest that is a list', () => folder({ ...good, 'gantry-plugin.json': [] }), /no JSON object/],
  ['a manifest with a typo', () => folder({ ...good, 'gantry-plugin.json': { ...goodManifest, privilege: {} } }), /manifest.privilege/],
  ['a manifest of 5 MiB', () => folder({ ...good, 'gantry-plugin.json': ' '.repeat(5 * 2 ** 20) }), /at most/],
  ['an entry that is not there', () => folder({ 'gantry-plugin.json': goodManifest }), /no such file in the plugin/],
  [
    'an entry outside',
    () => folder({ ...good, 'gantry-plugin.json': { ...goodManifest, entry: { node: '../x.js' } } }),
    /not in the plugin/,
  ],
  ['no entry', () => folder({ ...good, 'gantry-plugin.json': { ...goodManifest, entry: {} } }), /neither node nor exec/],
  ['an absolute symlink', () => linked('/etc/passwd'), /leads out of it/],
  ['a relative symlink out', () => linked('../x'), /leads out of it/],
  ['a symlink that turns', () => linked('lib/../../x'), /leads out of it/],
  ['a manifest that is a symlink', () => linkedManifest(), /is a symlink/],
  ['a tarball that is empty', () => tarball(Buffer.alloc(0)), /less than four bytes/],
  ['a tarball that is none', () => tarball(Buffer.from('not a tarball at all')), /./],
  ['a damaged tarball', () => tarball(npmTarball(good).subarray(0, 200)), /damaged gzip/],
  ['a tarball without package.json', () => tarball(npmTarball(good)), /no package.json/],
  ['a tarball that climbs', () => tarball(npmTarball(packed, header({ name: '../../evil' }))), /escapes|climb|\.\./],
  [
    'a tarball with a device',
    () => tarball(npmTarball(packed, header({ name: 'package/null', type: '3', device: [1, 3] }))),
    /no file, folder/,
  ],
  [
    'a tarball with a fifo as its manifest',
    () => tarball(npmTarball(packed, header({ name: 'package/gantry-plugin.json', type: '6' }))),
    /no file/,
  ],
  ['a tarball with a symlink out', () => tarball(npmTarball(packed, header({ name: 'package/l', type: '2', link: '/etc' }))), /leads out/],
  ...['file:../x', 'git+ssh://h/x', 'https://h/x.tgz', 'acme/x', 'link:/etc'].map(
    (range) =>
      [
        `a dependency on ${range}`,
        () => tarball(npmTarball({ ...packed, 'package.json': { name: 'a', version: '1.0.0', dependencies: { x: range } } })),
        /no version of a published package/,
      ] as const,
  ),
];
for (const [what, source, message] of bad) {
  test(`fetchPlugin() refuses ${what} and leaves nothing`, async () => {
    const target = fresh();
    await assert.rejects(
      async () => fetchPlugin(parseSource(source()), target, tools),
      (error: Error) => {
        assert.match(error.message, message);
        assert.match(codeOf(error), /invalid_argument|not_found/);
        return true;
      },
    );
    assert.deepEqual([existsSync(target), leftovers()], [false, []]);
  });
}

test('fetchPlugin() stops when it is told to, and refuses a target that is there', async () => {
  const path = folder(good);
  await assert.rejects(fetchPlugin(parseSource(path), fresh(), tools, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await assert.rejects(fetchPlugin(parseSource(path), plugins, tools), { code: 'already_exists' });
  assert.deepEqual(leftovers(), []);
});

test('sweepStaging() removes what a crash left, and nothing else', async () => {
  mkdirSync(join(plugins, '.7.0011223344556677.fetch.tmp/tree'), { recursive: true });
  const there = readdirSync(plugins).length;
  await sweepStaging(plugins);
  assert.deepEqual([readdirSync(plugins).length, leftovers()], [there - 1, []]);
});

const packed = { 'package.json': { name: 'a', version: '1.0.0' }, ...good };

function tarball(bytes: Buffer): string {
  const file = join(root, `${++count}.tgz`);
  writeFileSync(file, bytes);
  return file;
}

function linked(target: string): string {
  const path = folder(good);
  symlinkSync(target, join(path, 'link'));
  return path;
}

function linkedManifest(): string {
  const path = folder({ 'main.js': '', 'other.json': goodManifest });
  symlinkSync('other.json', join(path, 'gantry-plugin.json'));
  return path;
}

function listing(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((path) => {
      const { mode, uid, gid } = lstatSync(join(dir, path));
      return `${path} ${(mode & 0o7777).toString(8)}${uid + gid === 0 ? '' : ' not root'}`;
    });
}

function leftovers(): string[] {
  return readdirSync(plugins).filter((name) => name.startsWith('.'));
}
