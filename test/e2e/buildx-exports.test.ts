import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuildxClient, openBuildx, whyNoBuildx } from '../support/clients/buildx-client.ts';
import { contextTar } from '../support/images/build-context.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { GitServer } from '../support/servers/git-server.ts';
import { makeKey, SshGitServer, startAgent } from '../support/servers/ssh-git.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: whyNoBuildx() });

const options = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'buildx-'));
let daemon: Daemon;
let client: BuildxClient;
before(async () => {
  ({ daemon, client } = await openBuildx(folder));
});
after(() => daemon[Symbol.asyncDispose]());

const files = {
  Dockerfile:
    'FROM busybox AS made\nRUN mkdir -p /out/d && echo one > /out/a && ln /out/a /out/d/b && ln -s a /out/c && chmod 750 /out/d && head -c 300000 /dev/zero > /out/big\nFROM scratch\nCOPY --from=made /out /\n',
};

test('docker buildx build -o puts files into a folder, and images into archives that engines load', options, async () => {
  const path = client.context(files);
  const out = join(folder, 'out');
  await client.succeeds(['buildx', 'build', '-o', `type=local,dest=${out}`, path]);
  assert.equal(readFileSync(join(out, 'a'), 'utf8'), 'one\n');
  assert.equal(lstatSync(join(out, 'd/b')).ino, lstatSync(join(out, 'a')).ino);
  assert.equal(readlinkSync(join(out, 'c')), 'a');
  assert.equal(lstatSync(join(out, 'd')).mode & 0o777, 0o750);
  assert.equal(lstatSync(join(out, 'big')).size, 300_000);
  const { stdout } = spawnSync('docker', ['buildx', 'build', '-o', '-', path], { env: client.environment, maxBuffer: 2 ** 24 });
  assert.equal(execFileSync('tar', ['-t'], { input: stdout, encoding: 'utf8' }), 'a\nbig\nc\nd/\nd/b\n');
  for (const type of ['docker', 'oci']) {
    const archive = join(folder, `${type}.tar`);
    await client.succeeds(['buildx', 'build', '-t', `exported-${type}:1`, '-o', `type=${type},dest=${archive}`, path]);
    assert.equal((await client.docker(['inspect', `exported-${type}:1`])).code, 1, 'it is in the archive alone');
    assert.match((await client.succeeds(['load', '-i', archive])).stdout, new RegExp(`Loaded image: exported-${type}:1`));
    assert.match((await client.succeeds(['inspect', '-f', '{{.RootFS.Layers}}', `exported-${type}:1`])).stdout, /sha256/);
  }
  await client.succeeds([
    'buildx',
    'build',
    '-o',
    `type=local,dest=${join(folder, 'empty')}`,
    client.context({ Dockerfile: 'FROM scratch\nENV A=b\n' }),
  ]);
  for (const [wanted, problem] of [
    ['type=zip,dest=x', /exporter "zip" is not supported|not supported/],
    ['type=oci,dest=outdir,tar=false', /leave tar=false out/],
    ['type=image,push=true', /tag is needed when pushing/],
  ] as const) {
    const failed = await client.docker(['buildx', 'build', '-o', wanted, path]);
    assert.notEqual(failed.code, 0, wanted);
    assert.match(failed.stderr, problem);
  }
});

test('docker buildx build for several platforms names them together, and pushes them as one index', options, async () => {
  await using registry = await dockerRegistry(join(folder, 'registry-of-several'), { isClosed: true });
  await client.succeeds(['login', '-u', 'me', '-p', 'secret', registry.host]);
  const name = `${registry.host}/several:1`;
  const path = client.context({
    Dockerfile: `FROM --platform=$BUILDPLATFORM busybox AS tools
ARG TARGETPLATFORM
RUN echo $TARGETPLATFORM > /made-for
FROM scratch
COPY --from=tools /made-for /made-for
`,
  });
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'];
  const { stderr } = await client.succeeds(['buildx', 'build', '--platform', platforms.join(','), '--push', '-t', name, path]);
  for (const platform of platforms) {
    assert.ok(stderr.includes(`[${platform} tools 2/`), stderr);
    const id = (await client.succeeds(['create', '--platform', platform, name, 'x'])).stdout.trim();
    const { stdout } = spawnSync('docker', ['cp', `${id}:/made-for`, '-'], { env: client.environment, encoding: 'utf8' });
    assert.ok(stdout.includes(`${platform}\n`), stdout);
    await client.succeeds(['rm', id]);
  }
  assert.equal((await client.succeeds(['images', '-q', name])).stdout.trim().split('\n').length, 1);
  const { manifests } = JSON.parse((await client.succeeds(['buildx', 'imagetools', 'inspect', '--raw', name])).stdout) as {
    readonly manifests: readonly { readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string } }[];
  };
  const pushed = manifests.map(({ platform: { os, architecture, variant } }) => [os, architecture, variant].filter(Boolean).join('/'));
  assert.deepEqual(pushed, platforms);
  await client.succeeds(['rmi', name]);
  await client.succeeds(['pull', '--platform', 'linux/arm64', name]);
  assert.equal((await client.succeeds(['inspect', '-f', '{{.Architecture}}', name])).stdout.trim(), 'arm64');
  await client.succeeds(['rmi', name]);
  for (const out of [`type=local,dest=${join(folder, 'several')}`, `type=oci,dest=${join(folder, 'several.tar')}`]) {
    const failed = await client.docker(['buildx', 'build', '--platform', platforms.join(','), '-o', out, path]);
    assert.match(failed.stderr, /is made of one platform, not of 3/);
  }
});

test('docker buildx build --push pushes, and caches go to a registry and come from it in another engine', options, async () => {
  await using registry = await dockerRegistry(join(folder, 'registry'), { isClosed: true });
  await client.succeeds(['login', '-u', 'me', '-p', 'secret', registry.host]);
  const path = client.context({
    Dockerfile:
      'FROM busybox AS tools\nRUN head -c 8 /dev/urandom | od > /tool\nFROM busybox\nCOPY --from=tools /tool /tool\nRUN head -c 8 /dev/urandom | od > /random\nENV a=b\n',
  });
  const [image, cache] = [`${registry.host}/app:1`, `${registry.host}/cache:max`];
  await client.succeeds(['buildx', 'build', '--push', '-t', image, '--cache-to', `type=registry,ref=${cache},mode=max`, path]);
  assert.match((await client.succeeds(['buildx', 'imagetools', 'inspect', '--raw', cache])).stdout, /image\.index/);
  await client.succeeds(['buildx', 'build', '-t', 'plain', '--cache-to', 'type=inline', '--build-arg', 'BUILDKIT_INLINE_CACHE=1', path]);

  await using other = await Daemon.start({ folder: join(folder, 'other') });
  const second = new BuildxClient(folder, other);
  await other.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  const again = await second.succeeds(['buildx', 'build', '-t', 'again', '--cache-from', `type=registry,ref=${cache}`, path]);
  assert.equal((again.stderr.match(/CACHED/g) ?? []).length, 6, again.stderr);
  const id = async (each: BuildxClient, name: string) => (await each.succeeds(['inspect', '-f', '{{.Id}}', name])).stdout;
  assert.equal(await id(second, 'again'), await id(client, image));

  // An image that was pushed is a cache as it is, for what it was made of.
  const simple = client.context({ Dockerfile: 'FROM busybox\nRUN head -c 8 /dev/urandom | od > /random\nENV a=b\n' });
  await client.succeeds(['buildx', 'build', '--push', '-t', `${registry.host}/simple:1`, simple]);
  const from = ['--cache-from', `${registry.host}/none`, '--cache-from', `${registry.host}/simple:1`];
  const byImage = await second.succeeds(['buildx', 'build', '-t', 'by-image', ...from, simple]);
  assert.match(byImage.stderr, /RUN head -c 8 \/dev\/urandom \| od > \/random\n#\d+ CACHED/);
  assert.match(byImage.stderr, /cache .*\/none is not used: .*manifest unknown/);
  assert.equal(await id(second, 'by-image'), await id(client, `${registry.host}/simple:1`));
  assert.doesNotMatch((await second.succeeds(['images', '-a', '--format', '{{.Repository}}'])).stdout, /cache/, 'what was fetched is gone');
  for (const [flags, problem] of [
    [['--cache-to', 'type=local,dest=x'], /cache export "local" is not supported/],
    [['--cache-to', `type=registry,ref=${cache},mode=some`], /mode is min or max/],
  ] as const) {
    const failed = await client.docker(['buildx', 'build', ...flags, path]);
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, problem);
  }
});

test('docker build fetches base images with the login of whoever builds, by both builders, and tells who has none', options, async () => {
  await using registry = await dockerRegistry(join(folder, 'closed'), { isClosed: true });
  const base = `${registry.host}/base:1`;
  await client.succeeds(['login', '-u', 'me', '-p', 'secret', registry.host]);
  await client.succeeds(['tag', 'busybox', base]);
  await client.succeeds(['push', base]);
  const path = client.context({ Dockerfile: `FROM ${base}\nCOPY --from=${registry.host}/base:2 /bin/true /t\nRUN echo built\n` });
  await client.succeeds(['tag', 'busybox', `${registry.host}/base:2`]);
  await client.succeeds(['push', `${registry.host}/base:2`]);
  for (const [DOCKER_BUILDKIT, said] of [
    ['0', /\nbuilt\n/],
    ['1', /\d built\n/],
  ] as const) {
    await client.succeeds(['rmi', base, `${registry.host}/base:2`]);
    const { stdout, stderr } = await client.succeeds(['build', '--no-cache', path], { env: { DOCKER_BUILDKIT } });
    assert.match(stdout + stderr, said);
  }
  await client.succeeds(['rmi', base, `${registry.host}/base:2`]);
  await client.succeeds(['logout', registry.host]);
  for (const DOCKER_BUILDKIT of ['0', '1']) {
    const { code, stderr } = await client.docker(['build', path], { env: { DOCKER_BUILDKIT } });
    assert.notEqual(code, 0);
    assert.match(stderr, /registry .* wants credentials for base/);
    assert.match(stderr, DOCKER_BUILDKIT === '0' ? /Dockerfile:1 \| FROM/ : /^Dockerfile:1\n-+\n {3}1 \| >>> FROM/m);
  }
});

test('docker buildx build takes named contexts, standard input, git repositories and archives of the web', options, async () => {
  await using server = await GitServer.start();
  server.repository('app', { Dockerfile: 'FROM busybox\nCOPY f /f\nRUN cat /f\n', f: 'by git\n' });
  const archive = contextTar({ Dockerfile: 'FROM busybox\nCOPY f /f\nRUN cat /f\n', f: 'by http\n' });
  const web = createServer((request, response) => {
    if (request.url === '/context.tar') response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(archive);
    else if (request.url === '/Dockerfile') response.writeHead(200).end('FROM busybox\nRUN echo alone\n');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  try {
    assert.match((await client.succeeds(['buildx', 'build', `${server.url}/app.git#main`])).stderr, /\d by git\n/);
    assert.match((await client.succeeds(['buildx', 'build', `${url}/context.tar`])).stderr, /\d by http\n/);
    assert.match((await client.succeeds(['buildx', 'build', `${url}/Dockerfile`])).stderr, /\d alone\n/);
    assert.match((await client.docker(['buildx', 'build', `${url}/none`])).stderr, /failed to download .*\/none: 404/);
    assert.match((await client.succeeds(['buildx', 'build', '--no-cache', '-'], { input: archive })).stderr, /\d by http\n/);
    assert.match((await client.succeeds(['buildx', 'build', '-'], { input: 'FROM busybox\nRUN echo by pipe\n' })).stderr, /\d by pipe\n/);
    const own = join(client.context({ 'My.Dockerfile': 'FROM busybox\nCOPY f /g\nRUN cat /g; echo mine\n' }), 'My.Dockerfile');
    assert.match((await client.succeeds(['buildx', 'build', '-f', own, `${server.url}/app.git`])).stderr, /\d by git\n.*\d mine\n/);
    const named = client.context({ 'n/f': 'by name\n', 'n/a.log': '', 'n/.dockerignore': '*.log\n', 'n/Dockerfile': '' });
    const { stderr } = await client.succeeds([
      'buildx',
      'build',
      '--build-context',
      `files=${join(named, 'n')}`,
      '--build-context',
      'base=docker-image://busybox',
      '--build-context',
      `repository=${server.url}/app.git`,
      '--build-context',
      `web=${url}/context.tar`,
      client.context({
        Dockerfile:
          'FROM files AS own\nFROM base\nCOPY --from=files f /f\nCOPY --from=repository f /g\nCOPY --from=web f /h\nRUN --mount=from=files,target=/m cat /f /g /h /m/f; ls -A /m\n',
      }),
    ]);
    assert.match(stderr.replaceAll(/^#\d+ [\d.]+ /gm, ''), /by name\nby git\nby http\nby name\n\.dockerignore\nDockerfile\nf\n/);
  } finally {
    web.close();
    web.closeAllConnections();
  }
});

test('docker buildx build takes images out of OCI layouts of the client', options, async () => {
  const made = client.context({ Dockerfile: 'FROM busybox\nRUN echo of a layout > /said\nENV FROM_LAYOUT=yes\n' });
  const archive = join(folder, 'layout.tar');
  await client.succeeds(['buildx', 'build', '-t', 'laid:out', '-o', `type=oci,dest=${archive}`, made]);
  await client.succeeds(['buildx', 'prune', '-af']);
  const layout = client.context({});
  execFileSync('tar', ['-xf', archive, '-C', layout]);
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: string }[];
  };
  const digest = manifests[0]?.digest ?? '';
  const path = client.context({
    Dockerfile:
      'FROM laid AS base\nRUN echo "env=$FROM_LAYOUT"; cat /said\nFROM busybox\nCOPY --from=laid /said /copied\nRUN cat /copied\n',
  });
  for (const target of ['base', ''])
    assert.match(
      (await client.succeeds(['buildx', 'build', '--target', target, '--build-context', `laid=oci-layout://${layout}@${digest}`, path]))
        .stderr,
      /\d of a layout\n/,
    );
  const blob = join(layout, 'blobs', digest.replace(':', '/'));
  writeFileSync(blob, readFileSync(blob, 'utf8').replace('{', '{ '));
  const broken = await client.docker(['buildx', 'build', '--no-cache', '--build-context', `laid=oci-layout://${layout}@${digest}`, path]);
  assert.notEqual(broken.code, 0);
  assert.match(broken.stderr, /sha256:|digest|size/);
  const none = await client.docker(['buildx', 'build', '--build-context', `laid=oci-layout://${layout}@sha256:${'0'.repeat(64)}`, path]);
  assert.notEqual(none.code, 0);
  assert.match(none.stderr, /not found/);
});

test('docker buildx build fetches repositories by ssh with the agent that is forwarded', options, async () => {
  const own = join(folder, 'git-ssh');
  mkdirSync(own);
  await using repositories = await GitServer.start();
  repositories.repository('app', { Dockerfile: 'FROM busybox\nCOPY f /f\nRUN cat /f\n', f: 'by ssh\n' });
  const keys = { host: makeKey(own, 'host'), client: makeKey(own, 'client') };
  await using server = await SshGitServer.start(repositories.folder, keys);
  await using _agent = await startAgent(join(own, 'agent'), keys.client);
  const url = `ssh://git@127.0.0.1:${server.port}/app.git`;
  const env = { SSH_AUTH_SOCK: join(own, 'agent') };
  const { stderr } = await client.succeeds(['buildx', 'build', '--ssh', 'default', `${url}#main`], { env });
  assert.match(stderr, /\d by ssh\n/);
  const added = client.context({ Dockerfile: `FROM busybox\nADD ${url} /src\nRUN cat /src/f\n` });
  writeFileSync(join(own, 'known'), `[127.0.0.1]:${server.port} ${readFileSync(`${keys.host}.pub`, 'utf8')}`);
  const known = ['--secret', `id=GIT_SSH_KNOWN_HOSTS,src=${join(own, 'known')}`];
  assert.match((await client.succeeds(['buildx', 'build', '--ssh', 'default', ...known, added], { env })).stderr, /\d by ssh\n/);
  assert.match((await client.docker(['buildx', 'build', '--no-cache', added])).stderr, /by ssh: no ssh agent is forwarded/);
});

test('docker buildx build --ssh forwards the agent of whoever builds, for one step', options, async () => {
  await using _agent = await startAgent(join(folder, 'agent'), makeKey(folder, 'the-key-of-a-test'));
  const path = client.context({
    Dockerfile:
      'FROM busybox\nCOPY lib /lib/\nCOPY lib64 /lib64/\nCOPY ssh-add /bin/\nENV LD_LIBRARY_PATH=/lib\nRUN --mount=type=ssh ssh-add -l && echo $SSH_AUTH_SOCK\nRUN --mount=type=ssh,id=none test -z "$SSH_AUTH_SOCK"\nRUN test -z "$SSH_AUTH_SOCK"\n',
    passwd: '',
  });
  withLibraries('/usr/bin/ssh-add', path);
  const { stderr } = await client.succeeds(['buildx', 'build', '--ssh', 'default', path], {
    env: { SSH_AUTH_SOCK: join(folder, 'agent') },
  });
  assert.match(stderr, /256 SHA256:\S+ the-key-of-a-test \(ED25519\)\n/);
  assert.match(stderr, /\/run\/buildkit\/ssh_agent\.default\n/);
  const required = client.context({ Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,required=true true\n' });
  assert.match((await client.docker(['buildx', 'build', required])).stderr, /ssh agent default: not forwarded/);
});

/** A program of this machine, and what it is linked to. */
function withLibraries(program: string, path: string): void {
  for (const name of ['lib', 'lib64']) mkdirSync(join(path, name));
  copyFileSync(program, join(path, basename(program)));
  for (const [, library = ''] of execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+)/g))
    writeFileSync(join(path, library.startsWith('/lib64/') ? 'lib64' : 'lib', basename(library)), readFileSync(library), { mode: 0o755 });
}

test('docker buildx build --allow lets a Dockerfile have what is refused otherwise', options, async () => {
  const path = client.context({
    Dockerfile: 'FROM busybox\nRUN --security=insecure mkdir -p /m && mount -t tmpfs none /m && echo mounted\n',
  });
  const refused = await client.docker(['buildx', 'build', '--progress=plain', path]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /security\.insecure is not allowed/);
  const allowed = await client.succeeds(['buildx', 'build', '--progress=plain', '--allow', 'security.insecure', path]);
  assert.match(allowed.stderr, /mounted/);
});
