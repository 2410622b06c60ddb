import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { digestOf } from '../support/images/image-archive.ts';
import { indexedImage, manifestAt, putIndex } from '../support/images/indexed-image.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { architecture } from '../support/plugins/served-image.ts';

inNamespaces(import.meta.url);

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
const options = { skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI', timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'platforms-'));
const image = indexedImage('e2e');
const idOf = (of: string): string => image.parts.get(of)?.id ?? '';
const digestFor = (of: string): string => digestOf(image.parts.get(of)?.manifest ?? Buffer.alloc(0));
let daemon: Daemon;
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
let name: string;
const { docker, refused } = dockerCli(() => daemon);
before(async () => {
  registry = await dockerRegistry(join(folder, 'registry'));
  name = `${registry.host}/acme/app:1`;
  await putIndex(registry.host, image, '1');
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test(
  'docker pull --platform adds to a name what create, inspect, image ls --tree, save, push and rmi know by platform',
  options,
  async () => {
    await docker('pull', name);
    assert.match(await docker('pull', '--platform', 'linux/s390x', name), /Status: Downloaded newer image/);
    assert.match(await docker('pull', '--platform', 'linux/s390x', name), /Status: Image is up to date/);
    assert.equal(await docker('images', '-q', '--no-trunc'), idOf(architecture));
    const tree = await docker('image', 'ls', '--tree');
    for (const arch of image.parts.keys()) assert.match(tree, new RegExp(`linux/${arch}`), tree);

    assert.equal(await docker('inspect', '-f', '{{.Id}}', name), idOf(architecture));
    assert.equal(await docker('image', 'inspect', '--platform', 'linux/s390x', '-f', '{{.Id}}', name), idOf('s390x'));
    const container = await docker('create', '--platform', 'linux/s390x', name, 'true');
    assert.equal(await docker('inspect', '-f', '{{.Image}}', container), idOf('s390x'));
    assert.equal(await docker('ps', '-a', '--format', '{{.Image}}'), name);
    assert.equal(await docker('ps', '-aq', '--no-trunc', '--filter', `ancestor=${name}`), container);
    assert.match(
      await refused('create', '--pull', 'never', '--platform', 'linux/riscv64', name, 'true'),
      /do not match the specified platform/,
    );
    const fetched = await docker('create', '--platform', 'linux/riscv64', name, 'true');
    assert.equal(await docker('inspect', '-f', '{{.Image}}', fetched), idOf('riscv64'));
    await docker('rm', container, fetched);

    const [all, one] = [join(folder, 'all.tar'), join(folder, 'one.tar')];
    await docker('save', '-o', all, name);
    await docker('save', '--platform', 'linux/s390x', '-o', one, name);
    assert.ok(readFileSync(all).includes(image.index));

    const there = `${registry.host}/acme/there`;
    await docker('tag', name, `${there}:1`);
    assert.match(await docker('push', `${there}:1`), new RegExp(`digest: ${image.indexDigest}`));
    assert.equal((await manifestAt(registry.host, '1', 'acme/there'))?.digest, image.indexDigest);
    assert.match(await docker('push', '--platform', 'linux/s390x', `${there}:1`), new RegExp(`digest: ${digestFor('s390x')}`));
    await docker('rmi', `${there}:1`);

    assert.equal(await docker('rmi', '--platform', 'linux/s390x', name).then((text) => text.includes(`Deleted: ${idOf('s390x')}`)), true);
    assert.match(await refused('rmi', '--platform', 'linux/s390x', name), /do not match the specified platform/);
    assert.match(await docker('rmi', name), new RegExp(`Untagged: ${name}\\n(.*\\n)*Deleted: ${idOf('riscv64')}`));
    assert.equal(await docker('images', '-aq'), '');

    assert.equal(await docker('load', '-i', one), `Loaded image: ${name}`);
    assert.equal(await docker('inspect', '-f', '{{.Architecture}}', name), 's390x');
    await docker('rmi', name);
    assert.equal(await docker('load', '-i', all), `Loaded image: ${name}`);
    for (const arch of image.parts.keys()) {
      assert.equal(await docker('image', 'inspect', '--platform', `linux/${arch}`, '-f', '{{.Id}}', name), idOf(arch));
    }
    const alone = `${registry.host}/acme/alone:1`;
    await docker('rmi', '--platform', 'linux/riscv64', name);
    await docker('rmi', '--platform', 'linux/s390x', name);
    await docker('tag', name, alone);
    assert.match(
      await docker('push', alone),
      /Not all multiplatform-content is present and only the available single-platform image was pushed/,
    );
    await docker('rmi', '-f', idOf(architecture));
    assert.equal(await docker('images', '-aq'), '');
  },
);

test('gantry pull, images, create, save, push and rmi take a platform', { timeout: 120_000 }, async () => {
  const gantry = (...args: readonly string[]): string => {
    const env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}`, DOCKER_CONFIG: folder };
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env, timeout: 60_000 });
    assert.equal(status, 0, `gantry ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  gantry('pull', name);
  const created = gantry('create', '--platform', 'linux/s390x', name, 'true').trim();
  gantry('rm', created);
  const rows = (...words: readonly string[]): string =>
    gantry('images', ...words)
      .replaceAll(/ +/g, ' ')
      .trimEnd();
  const tree = rows('--tree').split('\n');
  assert.equal(tree[0], 'IMAGE ID SIZE');
  assert.match(tree[1] ?? '', new RegExp(`^${name} ${idOf(architecture).slice(7, 19)} `));
  assert.deepEqual(
    tree.slice(2).map((line) => /linux\/\w+ \w+ (not here)?/.exec(line)?.[0]),
    [...image.parts.keys()].map((of) => `linux/${of} ${digestFor(of).slice(7, 19)} ${of === 'riscv64' ? 'not here' : ''}`),
  );
  assert.match(rows('--format', 'json'), new RegExp(`"Platforms":"linux/s390x, linux/${architecture}"`));
  gantry('save', '--platform', 'linux/s390x', '-o', join(folder, 'gantry.tar'), name);
  gantry('tag', name, `${registry.host}/acme/gantry:1`);
  gantry('push', '--platform', 'linux/s390x', `${registry.host}/acme/gantry:1`);
  assert.equal((await manifestAt(registry.host, '1', 'acme/gantry'))?.digest, digestFor('s390x'));
  gantry('rmi', `${registry.host}/acme/gantry:1`);
  assert.match(gantry('rmi', '--platform', 'linux/s390x', name), new RegExp(`^Deleted: ${idOf('s390x')}`));
  gantry('rmi', name);
  assert.equal(gantry('images', '-aq').trim(), '');
  assert.match(gantry('system', 'check'), /./);
});
