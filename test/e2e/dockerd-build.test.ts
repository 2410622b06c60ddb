import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { contextFolder } from '../support/images/context-folder.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const hasCli = process.env['GANTRY_TEST_INSIDE'] !== undefined || spawnSync('docker', ['--version']).status === 0;
const lacking = hasCli ? prepareDockerd() : 'the docker CLI';
inNamespaces(import.meta.url, { cgroups: 'v1', missing: lacking === undefined ? undefined : `needs dockerd (${lacking})` });

// What Docker's first builder says and makes of a build is asked of it, and of the engine.
const folder = mkdtempSync(join(tmpdir(), 'dockerd-build-'));
let house: DockerdHouse;
let daemons: readonly [ours: Daemon, docker: Daemon];
before(async () => {
  house = await DockerdHouse.open();
  daemons = [await Daemon.start({ folder: join(folder, 'ours') }), await house.start({ folder: join(folder, 'docker') })];
  for (const daemon of daemons) await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(async () => {
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

function context(files: Readonly<Record<string, string>>): string {
  return contextFolder(folder, files);
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without what differs from run to run. */
function plain(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{64}/g, 'DIGEST')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/daemon +\S+B\r?/g, 'daemon SIZE');
}

/**
 * Docker makes a container for each step that only says something, tells of it, and runs nothing in it. No such container is made here, so
 * there is none to tell of.
 */
function withoutIdleContainers(text: string): string {
  const step = /(Step \d+\/\d+ : (?!RUN )[^\n]*\n) ---> Running in ID\n ---> Removed intermediate container ID\n/g;
  return text.replaceAll(step, '$1');
}

async function both(args: readonly string[]): Promise<readonly [ours: Outcome, docker: Outcome]> {
  const [ours, docker] = await Promise.all(
    daemons.map(async ({ places }) => {
      const { code, stdout, stderr } = await new DockerApi(places.socketPath).docker(args);
      return { code, stdout: plain(stdout), stderr: plain(stderr) };
    }),
  );
  assert.ok(ours !== undefined && docker !== undefined);
  return [ours, docker];
}

const files = {
  Dockerfile: `ARG BASE=busybox
FROM $BASE AS made
ARG WHO=nobody
ENV A=1 B="two words"
WORKDIR /app
COPY a.txt sub/ ./
ADD sub/b.txt /added
RUN echo "hello $WHO" > greeting; echo to stdout; sleep 0.2; echo to stderr >&2
FROM busybox
MAINTAINER somebody
COPY --from=made --chown=7:8 /app/greeting /greeting
WORKDIR /rel
COPY a.txt sub/ ./
COPY sub more/$B
LABEL one=1 "two words"="x y"
EXPOSE 80 53/udp
VOLUME ["/data", "/more"]
USER 7
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m5s --timeout=250ms --retries=3 CMD true
SHELL ["/bin/sh", "-ec"]
ONBUILD RUN echo later
ENTRYPOINT ["cat"]
CMD ["/greeting"]
`,
  'a.txt': 'A',
  'sub/b.txt': 'B',
};

test("docker build without BuildKit says and makes what it does at Docker's own daemon", { timeout: 300_000 }, async () => {
  const path = context(files);
  const build = [
    'build',
    '--network',
    'none',
    '--build-arg',
    'WHO=you',
    '--build-arg',
    'UNUSED=1',
    '--label',
    'mine=yes',
    '-t',
    'built:1',
    '-t',
    'built:2',
    path,
  ];
  for (const when of ['at first', 'out of the cache']) {
    const [ours, docker] = await both(build);
    assert.deepEqual(ours, { ...docker, stdout: withoutIdleContainers(docker.stdout) }, when);
  }
  const [ours, docker] = await both(['history', '--no-trunc', '--format', '{{.CreatedBy}}|{{.Comment}}', 'built:1']);
  assert.equal(ours.stdout, docker.stdout);
  const [config, theirs] = await both(['inspect', '-f', '{{json .Config}}', 'built:2']);
  const fields = [
    'User',
    'ExposedPorts',
    'Env',
    'Cmd',
    'Healthcheck',
    'Volumes',
    'WorkingDir',
    'Entrypoint',
    'OnBuild',
    'Labels',
    'StopSignal',
    'Shell',
  ];
  const shown = (text: string) => Object.fromEntries(Object.entries(JSON.parse(text) as object).filter(([name]) => fields.includes(name)));
  assert.deepEqual(shown(config.stdout), shown(theirs.stdout));
});

for (const [what, dockerfile, isSame] of [
  ['a command that fails', 'FROM busybox\nRUN echo said; exit 7\n', true],
  ['a file that is not there', 'FROM busybox\nCOPY none /x\n', true],
  ['an instruction that is none', 'FROM busybox\nFOO\n', false],
  ['a base that is not there', 'FROM scratch2\nRUN true\n', false],
] as const)
  test(`docker build without BuildKit of ${what} says what it does at Docker's own daemon, and the line`, {
    timeout: 120_000,
  }, async () => {
    const [ours, docker] = await both(['build', '--network', 'none', context({ Dockerfile: dockerfile })]);
    assert.equal(ours.stdout, docker.stdout);
    assert.equal(ours.code, docker.code);
    if (isSame) assert.ok(ours.stderr.startsWith(docker.stderr.trimEnd()), `${ours.stderr} instead of ${docker.stderr}`);
    assert.match(ours.stderr, /Dockerfile:[12] \| /);
  });
