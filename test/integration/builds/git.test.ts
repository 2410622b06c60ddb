import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { GantryError, messageOf } from '@gantry/sdk';
import type { BuildImage } from '@gantry/sdk/engine';
import { type Built, buildImage } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { git, GitServer } from '../../support/servers/git-server.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const canary = '/run/canary';
let under: EngineUnderTest;
let server: GitServer;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
  server = await GitServer.start();
  mkdirSync(canary, { recursive: true });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await under[Symbol.asyncDispose]();
});

function buildRemote(url: string, options: Partial<BuildImage> = {}): Promise<Built> {
  return buildImage(under.engine, {}, { ...options, context: { kind: 'remote', url } });
}

async function failureOf(url: string, options: Partial<BuildImage> = {}): Promise<{ readonly code: string; readonly message: string }> {
  const error = await buildRemote(url, options).then(
    ({ text }) => assert.fail(`it was built:\n${text}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(GantryError.is(error), messageOf(error));
  return error;
}

test('Builds.build() of a git repository builds what a branch, tag or commit has, in a folder of it, with its submodules', async () => {
  server.repository('lib', { 'lib.txt': 'the library\n' });
  const work = server.repository('app', {
    Dockerfile: 'FROM busybox\nCOPY . /src\nRUN cd /src && find . -not -type d | sort | xargs stat -c "%n %F %a" && cat version\n',
    '.dockerignore': '*.log\n',
    'a.log': '',
    'bin/run': { executable: '#!/bin/sh\n' },
    'to-run': { link: 'bin/run' },
    version: 'one\n',
    'sub/Dockerfile': 'FROM busybox\nCOPY own /own\nRUN cat /own\n',
    'sub/own': 'in the folder\n',
  });
  git(work, 'submodule', '--quiet', 'add', '../lib.git', 'vendor/lib');
  const first = server.commit(work, {});
  git(work, 'tag', 'v1');
  git(work, 'checkout', '--quiet', '-b', 'feature/two');
  const second = server.commit(work, { version: 'two\n' });
  const third = server.commit(work, { version: 'three\n' });
  server.push(work, 'main', 'feature/two', 'v1');

  const { text } = await buildRemote(`${server.url}/app.git`);
  assert.match(
    text,
    new RegExp(
      [
        './.dockerignore regular file 644',
        './.gitmodules regular file 644',
        './Dockerfile regular file 644',
        './bin/run regular file 755',
        './sub/Dockerfile regular file 644',
        './sub/own regular file 644',
        './to-run symbolic link 777',
        './vendor/lib/lib.txt regular file 644',
        './version regular file 644',
        'one',
      ]
        .join('\n')
        .replaceAll('.', '\\.'),
    ),
  );
  for (const [ref, version] of [
    ['main', 'one'],
    ['v1', 'one'],
    ['refs/tags/v1', 'one'],
    ['feature/two', 'three'],
    [third, 'three'],
    [second, 'two'],
    [second.slice(0, 12), 'two'],
    [first, 'one'],
  ])
    assert.match((await buildRemote(`${server.url}/app.git#${ref}`, { noCache: true })).text, new RegExp(`\n${version}\n`), ref);
  assert.match((await buildRemote(`${server.url}/app.git#v1:sub`)).text, /\nin the folder\n/);
  assert.deepEqual(
    readdirSync(join(under.folder, 'data', 'plugins'), { recursive: true }).filter((name) => String(name).includes('repository-')),
    [],
  );
});

test('Builds.build() keeps .git where it is wanted, and ADD adds a repository', async () => {
  const work = server.repository('history', { Dockerfile: 'FROM busybox\nCOPY . /src\nRUN cat /src/.git/HEAD\n', f: 'F\n', 'd/g': 'G\n' });
  const id = git(work, 'rev-parse', 'HEAD');
  const kept = await buildRemote(`${server.url}/history.git`, { buildArgs: { BUILDKIT_CONTEXT_KEEP_GIT_DIR: '1' } });
  assert.match(kept.text, /\nIDIDID[0-9a-f]{4}\n/);
  const { text } = await buildImage(under.engine, {
    Dockerfile: `FROM busybox
ADD --checksum=${id} ${server.url}/history.git /all
ADD --keep-git-dir=true --chown=7:8 ${server.url}/history.git#main /git/
ADD ${server.url}/history.git#main:d /sub
RUN cat /all/f /all/d/g /sub/g; test ! -e /all/.git && test -s /git/.git/index && stat -c '%u:%g' /git/f
`,
  });
  assert.match(text, /\nF\nG\nG\n7:8\n/);
  const wrong = buildImage(under.engine, { Dockerfile: `FROM busybox\nADD --checksum=${'0'.repeat(40)} ${server.url}/history.git /all\n` });
  await assert.rejects(wrong, /commit mismatch for .*history\.git[\s\S]*Dockerfile:2 \| ADD/);
});

test('Builds.build() of a git:// address, and of a repository that only those with a token see', async () => {
  server.repository('plain', { Dockerfile: 'FROM busybox\nRUN echo by git\n' });
  const port = await freePort();
  const daemon = spawn(
    'git',
    ['daemon', '--listen=127.0.0.1', `--port=${port}`, '--export-all', `--base-path=${server.folder}`, '--reuseaddr'],
    {
      stdio: 'ignore',
      detached: true,
      env: { PATH: process.env['PATH'], GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
    },
  );
  try {
    while (!(await isOpen(port))) await setTimeout(50);
    assert.match((await buildRemote(`git://127.0.0.1:${port}/plain.git`)).text, /by git/);
  } finally {
    process.kill(-(daemon.pid ?? 0), 'SIGKILL');
  }
  await using own = await GitServer.start({ token: 't0ken' });
  own.repository('private', { Dockerfile: 'FROM busybox\nRUN echo private\n' });
  const secret = async (id: string) => (id === 'GIT_AUTH_TOKEN' ? Buffer.from('t0ken\n') : undefined);
  assert.match((await buildRemote(`${own.url}/private.git`, { secret })).text, /\nprivate\n/);
  const { message } = await failureOf(`${own.url}/private.git`);
  assert.match(message, /failed to fetch .*private\.git: git fetch: could not read Username/);
  const elsewhere = await failureOf(`${own.url}/private.git`, { secret: async () => Buffer.from('wrong') });
  assert.doesNotMatch(elsewhere.message, /wrong/);
});

const touch = `touch ${canary}/touched`;

test('Builds.build() takes names, attributes and hooks of a hostile repository for files, or refuses them', async () => {
  const work = server.repository('hostile', {
    Dockerfile: 'FROM busybox\nCOPY . /src\nRUN cat /src/f /src/hooks/post-checkout; test ! -e /src/out/none\n',
    '.gitattributes': '* filter=evil export-ignore\n',
    '.lfsconfig': `[filter "evil"]\n\tsmudge = ${touch}\n`,
    'hooks/post-checkout': { executable: `#!/bin/sh\n${touch}\n` },
    config: `[core]\n\tfsmonitor = ${touch}\n`,
    out: { link: canary },
    f: 'F\n',
  });
  assert.match((await buildRemote(`${server.url}/hostile.git`)).text, /\nF\n#!\/bin\/sh\n/);
  const blob = git(work, 'hash-object', '-w', 'f');
  const tree = writeTree(work, [['..', blob]]);
  const id = git(work, 'commit-tree', '-m', 'climbs', tree);
  server.push(work, `${id}:refs/heads/climbs`);
  assert.match((await failureOf(`${server.url}/hostile.git#climbs`)).message, /escapes|\.\./);
  assert.equal(existsSync(join(canary, 'touched')), false);
});

const hostile: readonly (readonly [url: string, problem: RegExp])[] = [
  [`URL/plain.git#--upload-pack=${touch}`, /invalid git reference/],
  ['URL/plain.git#--upload-pack=x', /invalid git reference/],
  ['URL/plain.git#+main:refs/heads/x', /invalid git reference/],
  ['URL/plain.git#main~1', /invalid git reference/],
  ['URL/plain.git#main..x', /invalid git reference/],
  ['URL/plain.git#@{-1}', /invalid git reference/],
  ['URL/plain.git#main:../..', /invalid folder "\.\.\/\.\."/],
  ['URL/plain.git#main:none', /the repository has no folder "none"/],
  ['URL/plain.git#main:Dockerfile', /the repository has no folder "Dockerfile"/],
  ['URL/plain.git#none', /couldn't find remote ref none/],
  [`URL/plain.git#${'0'.repeat(40)}`, /failed to fetch/],
  ['URL/none.git', /failed to fetch .*not found/],
  ['http://127.0.0.1:1/x.git', /Failed to connect|unable to access/],
  ['git://127.0.0.1:1/x', /unable to connect/],
  ['git://-x/y.git', /names no host|is no http, https, git or ssh address/],
  ['ssh://-oProxyCommand=x/y.git', /names no host/],
  ['ssh://-x@host/y.git', /begins with a dash/],
  ['ssh://u:s3cret@host/y.git', /has a password/],
  ['git@host:-x.git', /is no http, https, git or ssh address|is no http or https address/],
  ['git@host:x.git', /by ssh: no ssh agent is forwarded/],
  ['git://x/y.git#--upload-pack=touch', /invalid git reference/],
  [`ext::sh -c ${touch}.git`, /is no http or https address, and no git repository/],
  ['file:///etc/x.git', /is no http or https address, and no git repository/],
  ['zz://x', /is no http or https address, and no git repository/],
  ['http://user:s3cret@127.0.0.1:1/x.git', /http:\/\/\*\*\*@|127\.0\.0\.1/],
];

for (const [url, problem] of hostile) {
  test(`Builds.build() refuses the git context ${url.slice(0, 60)}`, async () => {
    const { code, message } = await failureOf(url.replace('URL', server.url));
    assert.match(message, problem);
    assert.doesNotMatch(message, /s3cret/);
    assert.ok(['invalid_argument', 'unavailable'].includes(code), code);
    assert.equal(existsSync(join(canary, 'touched')), false);
  });
}

const submodules: Readonly<Record<string, readonly [url: string, problem: RegExp]>> = {
  ext: [`ext::sh -c ${touch}`, /submodule m of .*: git address "ext::sh -c .*spaces or control characters/],
  file: ['/etc', /submodule m of .*: git address "\/etc" is no http/],
  option: [`--upload-pack=${touch.replaceAll(' ', '\t')}`, /submodule m of/],
  ssh: ['ssh://-oProxyCommand=x/y', /submodule m of .*names no host/],
  'ssh elsewhere': ['ssh://git@elsewhere/y', /ssh:\/\/\*\*\*@elsewhere\/y is fetched by ssh from 127\.0\.0\.1:\d+ alone/],
  climbing: ['../../../../../etc/none.git', /failed to fetch/],
};

for (const [name, [url, problem]] of Object.entries(submodules)) {
  test(`Builds.build() runs nothing for a submodule by ${name}`, async () => {
    const work = server.repository(`with-${name.replace(' ', '-')}`, {
      Dockerfile: 'FROM busybox\n',
      '.gitmodules': `[submodule "m"]\n\tpath = m\n\turl = ${JSON.stringify(url)}\n\tupdate = !${touch}\n`,
    });
    git(work, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},m`);
    git(work, 'commit', '--quiet', '-m', 'a gitlink');
    server.push(work, 'main');
    assert.match((await failureOf(`${server.url}/with-${name.replace(' ', '-')}.git`)).message, problem);
    assert.equal(existsSync(join(canary, 'touched')), false);
  });
}

test('Builds.build() of a git repository that does not answer ends with its caller', async () => {
  const silent = createServer((socket) => void socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const url = `git://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/x.git`;
  await assert.rejects(buildRemote(url, { signal: AbortSignal.timeout(500) }), /abort|timeout/i);
  await new Promise((resolve) => silent.close(resolve));
});

/** A tree object of files with names that no index would take. */
function writeTree(work: string, files: readonly (readonly [name: string, blob: string])[]): string {
  const bytes = Buffer.concat(files.flatMap(([name, blob]) => [Buffer.from(`100644 ${name}\0`), Buffer.from(blob, 'hex')]));
  return gitWithInput(work, bytes, 'hash-object', '-w', '--literally', '-t', 'tree', '--stdin');
}

function gitWithInput(work: string, input: Buffer, ...args: readonly string[]): string {
  return execFileSync('git', [...args], { cwd: work, input, encoding: 'utf8' }).trim();
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', () => resolve()).once('error', reject));
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
