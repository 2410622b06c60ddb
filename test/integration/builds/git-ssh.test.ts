import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { messageOf } from '@gantry/sdk';
import type { BuildEvent, BuildImage } from '@gantry/sdk/engine';
import { type Built, buildImage } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { git, GitServer } from '../../support/servers/git-server.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { makeKey, SshGitServer, startAgent } from '../../support/servers/ssh-git.ts';

inNamespaces(import.meta.url);
leakGuard();

const options = { skip: spawnSync('ssh', ['-V']).status === 0 ? false : 'needs ssh', timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'git-ssh-'));
const agentPath = join(folder, 'agent');
let under: EngineUnderTest;
let repositories: GitServer;
let server: SshGitServer;
let agent: AsyncDisposable;
let keys: { readonly host: string; readonly client: string };
before(async () => {
  if (options.skip !== false) return;
  under = await EngineUnderTest.open();
  await under.warm();
  repositories = await GitServer.start();
  keys = { host: makeKey(folder, 'host'), client: makeKey(folder, 'client') };
  agent = await startAgent(agentPath, keys.client);
  server = await SshGitServer.start(repositories.folder, keys);
  repositories.repository('lib', { 'lib.txt': 'the library\n' });
  const work = repositories.repository('app', {
    Dockerfile: 'FROM busybox\nCOPY . /src\nRUN cat /src/said /src/vendor/lib/lib.txt\n',
    said: 'by ssh\n',
    'sub/Dockerfile': 'FROM busybox\nRUN echo in the folder\n',
  });
  git(work, 'submodule', '--quiet', 'add', '../lib.git', 'vendor/lib');
  repositories.commit(work, {});
  repositories.push(work, 'main');
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await repositories?.[Symbol.asyncDispose]();
  await under?.[Symbol.asyncDispose]();
});

const ssh: BuildImage['ssh'] = async (id) => (id === 'default' ? () => connect(agentPath) : undefined);

function address(name: string): string {
  return `ssh://git@127.0.0.1:${server.port}/${name}.git`;
}

async function built(url: string, given: Partial<BuildImage>): Promise<Built> {
  return buildImage(under.engine, {}, { noCache: true, ...given, context: { kind: 'remote', url } });
}

function warnings(events: readonly BuildEvent[]): string {
  return events.flatMap((event) => (event.kind === 'warning' ? [event.text] : [])).join('\n');
}

function knownHosts(keyFile: string): string {
  return `[127.0.0.1]:${server.port} ${readFileSync(`${keyFile}.pub`, 'utf8')}`;
}

test(
  'Builds.build() fetches a repository, its submodules and what ADD names by ssh, with the agent of whoever builds',
  options,
  async () => {
    const { text, events } = await built(address('app'), { ssh });
    assert.match(text, /\nby ssh\nthe library\n/);
    const print = spawnSync('ssh-keygen', ['-l', '-f', `${keys.host}.pub`], { encoding: 'utf8' }).stdout.split(' ')[1] ?? 'none';
    assert.match(
      warnings(events),
      new RegExp(`host key of \\[127\\.0\\.0\\.1\\]:\\d+ was not known, and was believed: ssh-ed25519 ${RegExp.escape(print)}`),
    );
    assert.match((await built(`${address('app')}#main:sub`, { ssh })).text, /\nin the folder\n/);
    const added = await buildImage(
      under.engine,
      { Dockerfile: `FROM busybox\nADD ${address('lib')} /lib\nRUN cat /lib/lib.txt\n` },
      { ssh, noCache: true },
    );
    assert.match(added.text, /\nthe library\n/);
    assert.deepEqual(
      readdirSync(join(under.folder, 'data', 'plugins'), { recursive: true }).filter((name) =>
        /repository-|ssh-|known_hosts/.test(String(name)),
      ),
      [],
    );
  },
);

test('Builds.build() by ssh believes no other host key than those that whoever builds gives', options, async () => {
  const secret = (text: string) => async (id: string) => (id === 'GIT_SSH_KNOWN_HOSTS' ? Buffer.from(text) : undefined);
  const right = await built(address('app'), { ssh, secret: secret(knownHosts(keys.host)) });
  assert.equal(warnings(right.events), '');
  for (const text of [knownHosts(keys.client), ''])
    await assert.rejects(
      built(address('app'), { ssh, secret: secret(text) }),
      /failed to fetch ssh:\/\/\*\*\*@127.*Host key verification failed/s,
    );
});

test(
  'Builds.build() by ssh without an agent, with the wrong key or of nothing says so, and uses no key of this machine',
  options,
  async () => {
    await assert.rejects(built(address('app'), {}), /by ssh: no ssh agent is forwarded/);
    await assert.rejects(built(address('none'), { ssh }), /failed to fetch ssh:/);
    const other = join(folder, 'other');
    mkdirSync(other);
    await using _agent = await startAgent(join(other, 'agent'), makeKey(other, 'stranger'));
    const stranger: BuildImage['ssh'] = async () => () => connect(join(other, 'agent'));
    const error = await built(address('app'), { ssh: stranger }).then(
      () => assert.fail('it was built'),
      (thrown: unknown) => thrown,
    );
    assert.match(messageOf(error), /Permission denied \(publickey\)/);
  },
);
