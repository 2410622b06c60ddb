import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { BuildxClient, openBuildx, whyNoBuildx } from '../support/clients/buildx-client.ts';
import { contextFolder } from '../support/images/context-folder.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { dockerfiles, looked } from '../support/images/dockerfiles.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Pty } from '../support/clients/pty.ts';

const hasCli = process.env['GANTRY_TEST_INSIDE'] !== undefined || spawnSync('docker', ['--version']).status === 0;
const lacking = hasCli ? (whyNoBuildx() ?? prepareDockerd()) : 'the docker CLI';
inNamespaces(import.meta.url, { cgroups: 'v1', missing: lacking === undefined ? undefined : `needs dockerd and buildx (${lacking})` });

// What buildx shows of a build that fails, and what one makes, is asked of it in front of Docker's own daemon, and of the engine.
const folder = mkdtempSync(join(tmpdir(), 'dockerd-buildx-'));
let house: DockerdHouse;
let daemons: readonly [ours: Daemon, docker: Daemon];
let clients: readonly [ours: BuildxClient, docker: BuildxClient];
before(async () => {
  const { daemon, client } = await openBuildx(folder);
  house = await DockerdHouse.open();
  daemons = [daemon, await house.start({ folder: join(folder, 'docker') })];
  await daemons[1].api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  clients = [client, new BuildxClient(folder, daemons[1])];
});
after(async () => {
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

const options = { timeout: 180_000 };

/** From the lines of the Dockerfile on: what was done before has other numbers here. */
function excerptOf(said: string): string {
  const [excerpt = `no excerpt: ${said}`] = /^[\w.]+:\d+\n-{20}\n[\s\S]*/m.exec(said.replaceAll('\r', '')) ?? [];
  return excerpt.trimEnd();
}

/** The lines alone, where the words are our own. */
function linesOf(excerpt: string): string {
  return excerpt.slice(0, excerpt.lastIndexOf('\nERROR:'));
}

const failing = {
  'a command over several lines': ['FROM busybox\n# why\nENV A=1\nRUN echo one && \\\n    # and\n    exit 7\n\nCMD ["sh"]\n', true],
  'a command in a heredoc': ['FROM busybox\nRUN <<EOF\necho "two"\nexit 3\nEOF\n', true],
  'a command that is not there': ['FROM busybox\nRUN ["/nothing", "a b"]\n', false],
  'an unknown instruction': ['FROM busybox\nFOO bar\nRUN true\n', true],
  'an unknown flag': ['FROM busybox\nCOPY --form=a /a /b\n', false],
  'a file that is not there': ['FROM busybox\nRUN true\nCOPY nothing /x\n', false],
  'a base that is not there': ['ARG A\nFROM busybox\nFROM localhost:1/none\n', false],
} as const;

for (const [what, [dockerfile, isSame]] of Object.entries(failing))
  test(`docker buildx build shows of ${what} the lines that it shows of Docker's own daemon`, options, async () => {
    const path = contextFolder(folder, { Dockerfile: dockerfile, other: dockerfile });
    const build = ['buildx', 'build', '--network', 'none', path];
    const [ours, docker] = await Promise.all(clients.map((client) => client.docker(build)));
    const [own = '', theirs = ''] = [ours, docker].map((said) => excerptOf(said?.stderr ?? ''));
    assert.deepEqual([ours?.code, docker?.code], [1, 1]);
    assert.match(theirs, />>>/);
    if (isSame) assert.equal(own, theirs);
    else assert.equal(linesOf(own), linesOf(theirs));
  });

test('docker buildx build on a terminal shows the lines, too', options, async () => {
  const path = contextFolder(folder, { Dockerfile: failing['a command over several lines'][0] });
  const shown = await Promise.all(
    clients.map(async ({ environment }) => {
      const env = { ...(environment as Record<string, string>), BUILDKIT_PROGRESS: 'tty' };
      await using terminal = new Pty(['docker', 'buildx', 'build', '--network', 'none', path], { env });
      const all = await terminal.expect(/Dockerfile:\d+[\s\S]*ERROR: failed to solve: [^\n]*\n/);
      assert.equal(await terminal.exit, 1);
      return excerptOf(all);
    }),
  );
  assert.match(shown[0] ?? '', /\n {3}4 \| >>> RUN echo one && \\\n/);
  assert.equal(shown[0], shown[1]);
});

test('docker buildx build shows the lines of a Dockerfile that is too long for a header', options, async () => {
  const [client] = clients;
  const long = `# ${'x'.repeat(200)}\n`.repeat(2_000);
  const path = contextFolder(folder, { Dockerfile: `FROM busybox\n${long}# before\nRUN exit 5\n# behind\n${long}` });
  const { stderr } = await client.docker(['buildx', 'build', path]);
  assert.match(
    excerptOf(stderr),
    /^Dockerfile:2003\n-{20}\n 2001 \| {5}# x+\n 2002 \| {5}# before\n 2003 \| >>> RUN exit 5\n 2004 \| {5}# behind\n/,
  );
  assert.match(stderr, /ERROR: failed to solve: process "\/bin\/sh -c exit 5" did not complete successfully: exit code: 5\n/);
});

test('docker buildx build shows of a trigger who has it run, and of a directive the line that is one too many', options, async () => {
  const [client] = clients;
  const told = async (Dockerfile: string): Promise<string> =>
    excerptOf((await client.docker(['buildx', 'build', contextFolder(folder, { Dockerfile })])).stderr);
  assert.match(
    await told('FROM busybox AS base\nONBUILD RUN exit 4\nFROM base\nRUN true\n'),
    /^Dockerfile:3\n[\s\S]* 3 \| >>> FROM base\n/,
  );
  assert.match(await told('# escape=`\n# escape=`\nFROM busybox\n'), /^Dockerfile:2\n[\s\S]* 2 \| >>> # escape=`\n/);
});

test('docker buildx build --target of no stage is told in plain words', options, async () => {
  const path = contextFolder(folder, { Dockerfile: 'FROM busybox AS one\n' });
  const [ours] = await Promise.all(clients.map((client) => client.docker(['buildx', 'build', '--target', 'two', path])));
  assert.match(ours?.stderr ?? '', /^ERROR: failed to solve: failed to reach build target two in Dockerfile: its stages: one\n/m);
});

/** What an image is run by, without what is empty, and what lies in some of its files. */
async function made(client: BuildxClient, image: string): Promise<object> {
  const { stdout } = await client.succeeds(['inspect', '-f', '{{json .Config}}', image]);
  const config = Object.entries(JSON.parse(stdout) as object).filter(([name, value]) => !passedOver.includes(name) && !isEmpty(value));
  const { stdout: id } = await client.succeeds(['create', '--network', 'none', '--entrypoint', 'none', image]);
  const files = looked.map(async (file) => {
    const { code, stdout: tar } = await client.docker(['cp', `${id.trim()}:${file}`, '-']);
    // A header, whose times differ, and then the content.
    return [file, code === 0 ? tar.slice(512).replaceAll('\0', '') : undefined] as const;
  });
  return { config: Object.fromEntries(config), files: Object.fromEntries(await Promise.all(files)) };
}

/** The image's own name, and what only Windows goes by. */
const passedOver = ['Image', 'ArgsEscaped'];

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

for (const [at, [what, files]] of Object.entries(dockerfiles).entries())
  test(`docker buildx build makes of ${what} what it makes at Docker's own daemon`, options, async () => {
    const path = contextFolder(folder, { ...files, '../token': 'sesame' });
    const build = ['buildx', 'build', '--network', 'none', '--secret', `id=tok,src=${join(folder, 'token')}`, '-t', `made:${at}`, path];
    const [ours, docker] = await Promise.all(
      clients.map(async (client) => {
        await client.succeeds(build);
        return made(client, `made:${at}`);
      }),
    );
    assert.deepEqual(ours, docker);
  });
