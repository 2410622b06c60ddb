import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type BuildxClient, openBuildx, type Said, whyNoBuildx } from '../support/clients/buildx-client.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: whyNoBuildx() });

const options = { timeout: 90_000 };
const folder = mkdtempSync(join(tmpdir(), 'buildx-'));
let daemon: Daemon;
let client: BuildxClient;
before(async () => {
  ({ daemon, client } = await openBuildx(folder));
});
after(() => daemon[Symbol.asyncDispose]());

function succeeds(args: readonly string[], cwd?: string): Promise<Said> {
  return client.succeeds(args, cwd === undefined ? {} : { cwd });
}

function context(files: Readonly<Record<string, string>>): string {
  return client.context(files);
}

test(
  'docker buildx build builds by BuildKit: files with modes and links, secrets, arguments, labels, its own progress, and the cache',
  options,
  async () => {
    const path = context({
      Dockerfile: `# syntax=docker/dockerfile:1
FROM busybox AS unneeded
RUN exit 9
FROM busybox AS one
RUN echo one > /one
FROM busybox
ARG N
COPY --from=one /one /one
COPY . /src
RUN --mount=type=secret,id=s cat /run/secrets/s; echo "n=$N" >&2; cd /src && find . -type f | sort | xargs stat -c '%n %a %h'; readlink to-main
CMD ["cat", "/one"]
`,
      '.dockerignore': '*.log\nDockerfile\n',
      'a.log': '',
      'sub/main': 'main',
      ümlaut: '',
      secret: 'SECRET\n',
    });
    chmodSync(join(path, 'sub/main'), 0o750);
    linkSync(join(path, 'sub/main'), join(path, 'sub/other'));
    symlinkSync('sub/main', join(path, 'to-main'));
    const build = [
      'buildx',
      'build',
      '--build-arg',
      'N=5',
      '--label',
      'who=me',
      '--secret',
      `id=s,src=${join(path, 'secret')}`,
      '-t',
      'app:1',
      '-t',
      'app:2',
      '--iidfile',
      join(folder, 'iid'),
      path,
    ];
    const { stderr } = await succeeds(build);
    assert.match(stderr, /#\d+ \[one 2\/9\] RUN echo one > \/one\n/);
    assert.match(stderr, /\d SECRET\n/);
    assert.match(stderr, /\d n=5\n/);
    // What goes to stderr may come in the middle of what goes to stdout.
    assert.match(
      stderr.replace(/^.*\d n=5\n/m, ''),
      /\d \.\/\.dockerignore 644 1\n.* \.\/secret 644 1\n.* \.\/sub\/main 750 2\n.* \.\/sub\/other 750 2\n.* \.\/ümlaut 644 1\n.* sub\/main\n/,
    );
    assert.match(stderr, /exporting to image\n#\d+ DONE/);
    assert.doesNotMatch(stderr, /exit 9/);
    assert.equal((await succeeds(['run', '--rm', 'app:1'])).stdout, 'one\n');
    assert.equal((await succeeds(['inspect', '-f', '{{.Config.Labels.who}}', 'app:2'])).stdout, 'me\n');
    const again = await succeeds(build);
    assert.equal((again.stderr.match(/CACHED/g) ?? []).length, 9, again.stderr);
    // Without DOCKER_BUILDKIT the CLI asks the engine which builder it prefers.
    assert.match((await succeeds(['build', '-t', 'app:3', '--build-arg', 'N=6', path])).stderr, /\d n=6\n/);
    assert.equal((await succeeds(['ps', '-aq'])).stdout, '');
  },
);

test('docker buildx build tells what is wrong, with the line, and takes the Dockerfile from elsewhere', options, async () => {
  const wrong = await client.docker(['buildx', 'build', context({ Dockerfile: 'FROM busybox\nFOO\n' })]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /dockerfile parse error on line 2: unknown instruction: FOO/);
  const failing = await client.docker(['buildx', 'build', context({ Dockerfile: 'FROM busybox\nRUN echo said; exit 7\n' })]);
  assert.notEqual(failing.code, 0);
  assert.match(failing.stderr, /\d said\n/);
  assert.match(failing.stderr, /process "\/bin\/sh -c echo said; exit 7" did not complete successfully: exit code: 7\n/);
  assert.match(failing.stderr, /^Dockerfile:2\n-+\n[^-]* 2 \| >>> RUN echo said; exit 7\n/m);
  const elsewhere = context({ 'Other.Dockerfile': 'FROM busybox\nCOPY f /f\nRUN cat /f\n' });
  assert.match(
    (await succeeds(['buildx', 'build', '-f', join(elsewhere, 'Other.Dockerfile'), context({ f: 'here' })])).stderr,
    /\d here\n/,
  );
  assert.equal((await succeeds(['ps', '-aq'])).stdout, '');
});

test('docker buildx build that is killed leaves no container', options, async () => {
  const path = context({ Dockerfile: 'FROM busybox\nRUN echo begun; sleep 300\n' });
  const child = spawn('docker', ['buildx', 'build', path], { env: client.environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  while (!/\d begun/.test(said)) await setTimeout(20);
  child.kill('SIGINT');
  await once(child, 'exit');
  for (let left = 'x'; left !== ''; ) {
    left = (await succeeds(['ps', '-aq'])).stdout;
    await setTimeout(50);
  }
});

test('docker buildx ls, du and prune know the engine', options, async () => {
  assert.match((await succeeds(['buildx', 'ls'])).stdout, /default\s+running/);
  await succeeds(['buildx', 'build', context({ Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=2\n' })]);
  assert.match((await succeeds(['buildx', 'du'])).stdout, /2\.\d+MB/);
  const id =
    (await succeeds(['buildx', 'du', '--filter', 'description=/bin/sh -c dd if=/dev/zero of=/big bs=1M count=2'])).stdout.match(
      /^\w{64}/m,
    )?.[0] ?? '';
  for (const [filter, isIt] of [
    [`id=${id.slice(3, 20)}`, true],
    ['type=regular', true],
    ['inuse=false', true],
    ['private=true', true],
    ['id=none', false],
    ['type=exec.cachemount', false],
    ['inuse=true', false],
    ['shared=true', false],
    [`parent=${id}`, false],
  ] as const)
    assert.equal((await succeeds(['buildx', 'du', '--filter', filter])).stdout.includes(id), isIt, filter);
  assert.match((await client.docker(['buildx', 'du', '--filter', 'inuse=maybe'])).stderr, /invalid filter 'inuse=maybe'/);
  for (const filter of ['until=24h', 'type=exec.cachemount', 'id=none'])
    assert.match((await succeeds(['buildx', 'prune', '-f', '-a', '--filter', filter])).stdout, /Total:\s+0B/, filter);
  assert.match((await succeeds(['buildx', 'prune', '-f', '--keep-storage', '1GB'])).stdout, /Total:\s+0B/);
  assert.match((await succeeds(['buildx', 'prune', '-f', '-a'])).stdout, /Total:\s+[2-9]\.\d+MB/);
});

test('docker compose build and up build what a project names', options, async () => {
  const path = context({
    'compose.yaml':
      'services:\n  web:\n    build:\n      context: web\n      args: {N: "3"}\n    network_mode: none\n  job:\n    build: {context: job, dockerfile_inline: "FROM busybox\\nCOPY f /f\\nCMD cat /f\\n"}\n    network_mode: none\n',
    'web/Dockerfile': 'FROM busybox\nARG N\nRUN echo "n=$N" > /n\nCMD cat /n\n',
    'job/f': 'job\n',
  });
  await succeeds(['compose', 'build'], path);
  const up = await succeeds(['compose', '-p', 'built', 'up', '--build', '--no-color'], path);
  assert.match(up.stdout, /web-1\s+\| n=3/);
  assert.match(up.stdout, /job-1\s+\| job/);
  await succeeds(['compose', '-p', 'built', 'down'], path);
});

test('docker buildx build gives steps the network, hosts and shared memory that it says', options, async () => {
  const path = context({
    Dockerfile: "FROM busybox\nRUN df -k /dev/shm | tail -1; grep some.host /etc/hosts; ip link | grep -c '^[0-9]'\n",
  });
  const flags = ['--shm-size', '128m', '--add-host', 'some.host:10.1.2.3', '--network', 'none', '--cgroup-parent', '/'];
  const { stderr } = await succeeds(['buildx', 'build', ...flags, path]);
  assert.match(stderr.replaceAll(/^#\d+ [\d.]+ /gm, ''), /shm +131072 [\s\S]*10\.1\.2\.3\s+some\.host\n1\n/);
});
