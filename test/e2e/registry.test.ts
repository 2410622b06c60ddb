import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
const options = { skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI', timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), 'registry-'));
let daemon: Daemon;
let api: DockerApi;
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
before(async () => {
  registry = await dockerRegistry(join(folder, 'registry'));
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  api = new DockerApi(daemon.places.socketPath);
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}
function gantry(...args: readonly string[]) {
  const env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}`, DOCKER_CONFIG: folder };
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env, timeout: 30_000 });
}

test('docker push, rmi, pull, run: the image comes back as it went, and a tag that is missing is told', options, async () => {
  const name = `${registry.host}/team/app`;
  const id = await docker('inspect', '-f', '{{.Id}}', 'busybox');
  await docker('tag', 'busybox', `${name}:1`);
  const pushed = await docker('push', `${name}:1`);
  assert.match(pushed, /: Pushed/);
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '';
  await docker('rmi', '-f', `${name}:1`, 'busybox');
  assert.equal(await docker('images', '-q'), '');
  const pulled = await docker('pull', `${name}:1`);
  assert.match(pulled, new RegExp(`Pull complete\\nDigest: ${digest}\\nStatus: Downloaded newer image for ${name}:1`));
  assert.equal(await docker('inspect', '-f', '{{.Id}} {{index .RepoDigests 0}}', `${name}:1`), `${id} ${name}@${digest}`);
  assert.match(await docker('pull', `${name}:1`), /Image is up to date/);
  await docker('rmi', '-f', id);
  assert.equal(await docker('run', '--rm', `${name}@${digest}`, 'echo', 'hello'), 'hello');
  assert.match(
    await docker('images', '--digests', '--format', '{{.Repository}} {{.Tag}} {{.Digest}}'),
    new RegExp(`${name} <none> ${digest}`),
  );
  await docker('tag', `${name}@${digest}`, `${name}:2`);
  await docker('push', '-a', name);
  await docker('rmi', '-f', id);
  assert.match(await docker('pull', '-a', name), /2: Pulling from team\/app/);
  assert.equal((await docker('images', '--format', '{{.Tag}}', name)).split('\n').toSorted().join(' '), '1 2');
  const remote = await daemon.api.json<{
    readonly Descriptor: { readonly digest: string };
    readonly Platforms: readonly { readonly os: string }[];
  }>('GET', `/distribution/${name}:2/json`);
  assert.deepEqual([remote.Descriptor.digest, remote.Platforms[0]?.os], [digest, 'linux']);
  const missing = await api.docker(['pull', `${name}:nope`]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /Error response from daemon: .*nope/);
});

test('gantry pull, push and run show where they are, and say what is wrong in one line', options, () => {
  const name = `${registry.host}/team/other:1`;
  gantry('rmi', '-f', `${registry.host}/team/app:1`, `${registry.host}/team/app:2`);
  const loaded = gantry('run', '--rm', `${registry.host}/team/app:1`, 'echo', 'from the registry');
  assert.deepEqual([loaded.status, loaded.stdout], [0, 'from the registry\n'], loaded.stderr);
  assert.match(loaded.stderr, /Downloaded newer image/);
  assert.equal(gantry('tag', `${registry.host}/team/app:1`, name).status, 0);
  const pushed = gantry('push', name);
  assert.match(pushed.stdout, /1: digest: sha256:/, pushed.stderr);
  const missing = gantry('pull', `${registry.host}/team/nope`);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /team\/nope/);
  assert.equal(missing.stderr.trim().split('\n').length, 1, missing.stderr);
  const nowhere = gantry('push', 'nope:1');
  assert.match(nowhere.stderr, /An image does not exist locally with the tag: nope/);
});

test('docker search and gantry search look through a registry that has no search', options, async () => {
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await docker('tag', 'busybox', `${registry.host}/found/here:1`);
  await docker('push', `${registry.host}/found/here:1`);
  assert.equal(await docker('search', '--format', '{{.Name}}', `${registry.host}/here`), `${registry.host}/found/here`);
  assert.match(gantry('search', `${registry.host}/found`).stdout, /^NAME +DESCRIPTION +STARS +OFFICIAL\n\S+\/found\/here/);
  const refused = gantry('search', 'https://x');
  assert.deepEqual([refused.status, /invalid repository name/.test(refused.stderr)], [1, true]);
  assert.match((await api.docker(['search', '--filter', 'colour=red', `${registry.host}/x`])).stderr, /invalid filter 'colour'/);
});
