import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { contextTar } from '../support/images/build-context.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { contextFolder } from '../support/images/context-folder.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { GitServer } from '../support/servers/git-server.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const options = { skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI', timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), 'docker-build-'));
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  api = new DockerApi(daemon.places.socketPath);
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());

function context(files: Readonly<Record<string, string>>): string {
  return contextFolder(folder, files);
}

const app = {
  Dockerfile:
    'ARG BASE=none\nFROM $BASE AS build\nARG N\nRUN echo "n=$N" > /n\nFROM busybox\nCOPY --from=build /n /n\nCOPY . /src\nCMD cat /n\n',
  '.dockerignore': '*.log\nDockerfile\n!kept.log\n',
  'a.log': '',
  'kept.log': '',
  'main.c': '',
};

test('docker build builds, tags, and says what Docker says; docker run, history and inspect know the image', options, async () => {
  const path = context(app);
  const build = [
    'build',
    '--build-arg',
    'BASE=busybox',
    '--build-arg',
    'N=7',
    '--build-arg',
    'X=1',
    '--label',
    'who=me',
    '-t',
    'app:1',
    '-t',
    'app:2',
    path,
  ];
  const first = await api.docker(build);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^Sending build context to Docker daemon/);
  assert.match(first.stdout, /Step 1\/9 : ARG BASE=none\nStep 2\/9 : FROM \$BASE AS build\n ---> [0-9a-f]{12}\n/);
  assert.match(first.stdout, /Step 9\/9 : LABEL who=me\n/);
  assert.match(
    first.stdout,
    /One or more build-args \[X\] were not consumed\nSuccessfully built ([0-9a-f]{12})\nSuccessfully tagged app:1\nSuccessfully tagged app:2\n$/,
  );
  assert.equal((await api.docker(['run', '--rm', 'app:1'])).stdout, 'n=7\n');
  assert.equal((await api.docker(['run', '--rm', 'app:2', 'ls', '-A', '/src'])).stdout, '.dockerignore\nkept.log\nmain.c\n');
  assert.equal((await api.docker(['inspect', '-f', '{{.Config.Labels.who}} {{.Config.Cmd}}', 'app:1'])).stdout, 'me [/bin/sh -c cat /n]\n');
  assert.match((await api.docker(['history', '--format', '{{.CreatedBy}}', 'app:1'])).stdout, /#\(nop\)\s+LABEL who=me\n/);
  const again = await api.docker(build);
  assert.equal(again.stdout.split(' ---> Using cache\n').length, 7);
  assert.equal((await api.docker(['ps', '-aq'])).stdout, '');
  const quiet = await api.docker(['build', '-q', '--build-arg', 'BASE=busybox', '--build-arg', 'N=7', '--label', 'who=me', path]);
  assert.equal(quiet.stdout, (await api.docker(['inspect', '-f', '{{.Id}}', 'app:1'])).stdout);
});

test('docker build of what cannot be built ends with the code of the step, the line, and as the API with 400', options, async () => {
  const failed = await api.docker(['build', '--force-rm', context({ Dockerfile: 'FROM busybox\nRUN echo said && exit 7\n' })]);
  assert.equal(failed.code, 7);
  assert.match(
    failed.stderr,
    /The command '\/bin\/sh -c echo said && exit 7' returned a non-zero code: 7\n  Dockerfile:2 \| RUN echo said/,
  );
  const wrong = await api.docker(['build', context({ Dockerfile: 'FROM busybox\nFOO\n' })]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /dockerfile parse error on line 2: unknown instruction: FOO/);
  for (const query of ['buildargs=x', 'labels=[]', 'ulimits={}', 'memory=x', 'squash=1', 'version=2', 't=UPPER', 'cachefrom=3']) {
    const { status } = await api.request(`POST /v1.51/build?${query}`, {
      body: Buffer.alloc(1024),
      headers: { 'Content-Type': 'application/x-tar' },
    });
    assert.equal(status, 400, query);
  }
  assert.equal((await api.docker(['ps', '-aq'])).stdout, '');
});

test('POST /build takes every flag that Docker has for the containers of steps, and names twice', options, async () => {
  const flags = {
    dockerfile: 'sub/My.Dockerfile',
    t: ['flags:1', 'flags:2'],
    nocache: '1',
    pull: '0',
    rm: '0',
    memory: String(64 << 20),
    memswap: String(96 << 20),
    cpushares: '512',
    cpuperiod: '50000',
    cpuquota: '25000',
    cpusetcpus: '0',
    cpusetmems: '0',
    shmsize: String(16 << 20),
    ulimits: JSON.stringify([{ Name: 'nofile', Soft: 100, Hard: 200 }]),
    buildargs: JSON.stringify({ GIVEN: 'yes', LEFT: null }),
    labels: JSON.stringify({ 'a b': 'c' }),
    networkmode: 'none',
    extrahosts: ['one:10.0.0.1', 'two:10.0.0.2,three:10.0.0.3'],
    securityopt: ['no-new-privileges'],
    cachefrom: JSON.stringify(['nothing']),
    target: 'wanted',
    platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    buildid: 'any',
    session: '',
    version: '1',
  };
  const query = new URLSearchParams(
    Object.entries(flags).flatMap(([name, value]) => [value].flat().map((each): [string, string] => [name, each])),
  );
  const Dockerfile =
    'FROM busybox AS wanted\nARG GIVEN\nARG LEFT=left\nRUN echo "$GIVEN $LEFT"; ulimit -n; grep -c 10.0.0 /etc/hosts; grep NoNewPrivs /proc/self/status; df -k /dev/shm | tail -1\nFROM wanted\nRUN exit 9\n';
  const { status, text } = await api.request(`POST /v1.51/build?${query.toString()}`, {
    body: contextTar({ 'sub/My.Dockerfile': Dockerfile }),
    headers: { 'Content-Type': 'application/x-tar', 'X-Registry-Config': 'no config' },
  });
  assert.equal(status, 200);
  const said = text
    .trim()
    .split('\r\n')
    .map((line) => (JSON.parse(line) as { readonly stream?: string }).stream ?? '')
    .join('');
  assert.match(said, /\nyes left\n100\n3\nNoNewPrivs:\t1\nshm +16384 /);
  assert.match(said, /Successfully tagged flags:1\nSuccessfully tagged flags:2\n$/);
  const [, id = ''] = / ---> Running in (\w+)/.exec(said) ?? [];
  const { HostConfig } = await api.json<{ readonly HostConfig: Readonly<Record<string, unknown>> }>(`GET /v1.51/containers/${id}/json`);
  const wanted = {
    Memory: 64 << 20,
    MemorySwap: 96 << 20,
    CpuShares: 512,
    CpuPeriod: 50_000,
    CpuQuota: 25_000,
    CpusetCpus: '0',
    CpusetMems: '0',
    ShmSize: 16 << 20,
    NetworkMode: 'none',
    ExtraHosts: ['one:10.0.0.1', 'two:10.0.0.2', 'three:10.0.0.3'],
    SecurityOpt: ['no-new-privileges'],
    Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
  };
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, HostConfig[key]])), wanted);
  assert.equal((await api.docker(['inspect', '-f', '{{index .Config.Labels "a b"}}', 'flags:2'])).stdout, 'c\n');
  await api.docker(['rm', id]);
});

for (const [when, mark] of [
  ['before its container runs', 'Step 2/2'],
  ['while its container runs', '\nbegun'],
] as const)
  test(`docker build that is interrupted ${when} leaves no container`, options, async () => {
    const path = context({ Dockerfile: 'FROM busybox\nRUN echo begun; sleep 300\n' });
    const child = spawn('docker', ['build', path], {
      env: { ...process.env, DOCKER_HOST: `unix://${daemon.places.socketPath}`, DOCKER_BUILDKIT: '0' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes(mark)) await setTimeout(20);
    child.kill('SIGINT');
    await once(child, 'exit');
    for (let left = 'x'; left !== ''; ) {
      left = (await api.docker(['ps', '-aq'])).stdout;
      await setTimeout(50);
    }
  });

test('docker builder prune frees what builds left, and docker system df counts it', options, async () => {
  const path = context({ Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=3\nENV a=b\n' });
  assert.equal((await api.docker(['build', '-t', 'gone', path])).code, 0);
  await api.docker(['rmi', '--no-prune', 'gone']);
  assert.match(
    (await api.docker(['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Size}}'])).stdout,
    /Build Cache [1-9]\d* 3\.\d+MB/,
  );
  assert.match((await api.docker(['builder', 'prune', '-f'])).stdout, /Total reclaimed space: 3\.\d+MB/);
  assert.match((await api.docker(['build', '-t', 'gone', path])).stdout, /Running in/);
});

test('docker builder prune goes by its filters, and leaves as much as it is told', options, async () => {
  interface Cached {
    readonly ID: string;
    readonly Size: number;
    readonly Shared: boolean;
  }
  /** Those that a prune could be about, and hold something. */
  const sizes = async () =>
    (await api.json<{ readonly BuildCache: readonly Cached[] }>('GET /v1.51/system/df?type=build-cache')).BuildCache.filter(
      ({ Size, Shared }) => Size > 0 && !Shared,
    );
  await api.docker(['builder', 'prune', '-af']);
  for (const megabytes of [1, 2, 3, 4])
    await api.docker(['build', context({ Dockerfile: `FROM busybox\nRUN head -c ${megabytes}000000 /dev/zero > /big\n` })]);
  await api.docker([
    'build',
    context({ Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/c head -c 5000000 /dev/zero > /c/big\n' }),
  ]);
  const pruned = async (...flags: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await api.docker(['builder', 'prune', '-f', ...flags]);
    return /Total reclaimed space: (\S+)/.exec(stdout)?.[1] ?? stderr;
  };
  const third = (await sizes()).find(({ Size }) => Size === 3_000_000)?.ID.replace('sha256:', '') ?? 'none';
  for (const filter of [
    'until=1h',
    'unused-for=1h',
    'id=none',
    'parent=none',
    'type=frontend',
    'inuse=true',
    'shared=true',
    'private=false',
    'description=x',
  ])
    assert.equal(await pruned('--filter', filter), '0B', filter);
  assert.match(await pruned('--filter', 'inuse=perhaps'), /invalid filter 'inuse=perhaps'/);
  assert.match(await pruned('--filter', 'colour=red'), /invalid filter 'colour'/);
  assert.equal(await pruned('--filter', `id=${third.slice(5, 30)}`), '3MB');
  // Of 1, 2 and 4 MB, those unused for longest go until no more than 5 MB are left.
  assert.equal(await pruned('--keep-storage', '5MB', '--filter', 'type=regular'), '3MB');
  assert.equal(await pruned('--filter', 'type=exec.cachemount'), '5MB');
  assert.equal(await pruned('--filter', 'private=true', '--filter', 'until=0s'), '4MB');
  assert.deepEqual(
    (await sizes()).filter(({ Size }) => Size > 0),
    [],
  );
  for (const [query, kept] of [
    ['max-used-space=1500000', 1],
    ['max-used-space=1500000&reserved-space=3500000', 2],
    ['min-free-space=1', 3],
    ['min-free-space=900000000000000&reserved-space=1', 0],
  ] as const) {
    for (const at of [1, 2, 3])
      await api.docker(['build', '--no-cache', context({ Dockerfile: `FROM busybox\nRUN head -c 1500000 /dev/zero > /big${at}\n` })]);
    assert.equal((await api.request(`POST /v1.51/build/prune?${query}`)).status, 200);
    assert.equal((await sizes()).filter(({ Size }) => Size > 1_000_000).length, kept, query);
    await api.docker(['builder', 'prune', '-af']);
  }
});

test(
  'POST /build with a remote builds from a git repository and from an archive of the web, as docker-py and compose ask for it',
  options,
  async () => {
    await using server = await GitServer.start();
    server.repository('app', {
      'sub/Dockerfile': 'FROM busybox\nCOPY f /f\nRUN cat /f\n',
      'sub/f': 'by git\n',
      Dockerfile: 'FROM busybox\n',
    });
    const build = async (remote: string) => {
      const { status, text: body } = await api.request(`POST /v1.51/build?nocache=1&remote=${encodeURIComponent(remote)}`);
      return { status, body };
    };
    assert.match((await build(`${server.url}/app.git#main:sub`)).body, /"stream":"by git\\n"/);
    const wrong = await build(`${server.url}/app.git#--upload-pack=x`);
    assert.match(wrong.body, /invalid git reference/);
    assert.equal(wrong.status, 400);
    assert.match((await build('zz://x')).body, /is no http or https address, and no git repository/);
  },
);

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');

test('gantry build sends what .dockerignore leaves, and takes folders, archives and a Dockerfile elsewhere', {
  timeout: 60_000,
}, async () => {
  const gantry = async (args: readonly string[], input?: Buffer) => {
    const env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}`, DOCKER_CONFIG: folder, FROM_ENV: 'here' };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code: Number(code), stdout, stderr };
  };
  const path = context({ ...app, 'other/My.Dockerfile': 'FROM busybox\nARG FROM_ENV\nRUN echo "$FROM_ENV"\nCOPY . /all\n' });
  const built = await gantry([
    'build',
    '-t',
    'cli',
    '-f',
    join(path, 'other/My.Dockerfile'),
    '--build-arg',
    'FROM_ENV',
    '--iidfile',
    join(folder, 'iid'),
    path,
  ]);
  assert.equal(built.code, 0, built.stderr);
  assert.match(
    built.stdout,
    /Step 3\/4 : RUN echo "\$FROM_ENV"\n ---> Running in [0-9a-f]{12}\nhere\n[\s\S]*Successfully tagged cli:latest\n$/,
  );
  assert.equal(
    (await api.docker(['run', '--rm', 'cli', 'sh', '-c', 'cd /all; find . -type f | sort'])).stdout,
    './.dockerignore\n./kept.log\n./main.c\n./other/My.Dockerfile\n',
  );
  assert.equal(`${readFileSync(join(folder, 'iid'), 'utf8')}\n`, (await api.docker(['inspect', '-f', '{{.Id}}', 'cli'])).stdout);
  const archive = await gantry(['build', '-q', '-'], contextTar({ Dockerfile: 'FROM busybox\nCOPY f /f\n', f: 'F' }));
  assert.match(archive.stdout, /^sha256:[0-9a-f]{64}\n$/);
  await using server = await GitServer.start();
  server.repository('app', { Dockerfile: 'FROM busybox\nRUN echo by git\n' });
  assert.match((await gantry(['build', `${server.url}/app.git#main`])).stdout, /\nby git\n/);
  const failed = await gantry(['build', '--force-rm', context({ Dockerfile: 'FROM busybox\nRUN exit 3\n' })]);
  assert.notEqual(failed.code, 0);
  assert.match(failed.stderr, /^gantry: The command '.*' returned a non-zero code: 3\n  Dockerfile:2 \| RUN exit 3\n$/m);
  assert.match((await gantry(['build', context({ f: '' })])).stderr, /there is no Dockerfile in [\s\S]*name it with -f/);
  assert.match((await gantry(['builder', 'prune', '-f'])).stdout, /Total reclaimed space: /);
});

test(
  'a build whose engine is killed leaves nothing: the next start removes the container of the step, and the cache has what was done',
  options,
  async () => {
    const path = context({ Dockerfile: 'FROM busybox\nRUN echo done > /done\nRUN echo begun; sleep 300\n' });
    const child = spawn('docker', ['build', path], { env: { ...process.env, ...api.environment }, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes('\nbegun')) await setTimeout(20);
    const exited = once(child, 'exit');
    await daemon.kill();
    await exited;
    daemon = await Daemon.start({ folder: join(folder, 'engine') });
    api = new DockerApi(daemon.places.socketPath);
    for (let left = 'x'; left !== ''; ) {
      left = (await api.docker(['ps', '-aq'])).stdout;
      await setTimeout(50);
    }
    writeFileSync(join(path, 'Dockerfile'), 'FROM busybox\nRUN echo done > /done\nRUN cat /done\n');
    assert.match((await api.docker(['build', path])).stdout, /RUN echo done > \/done\n ---> Using cache[\s\S]*\ndone\n/);
  },
);
