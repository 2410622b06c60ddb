import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type BuildxClient, openBuildx, whyNoBuildx } from '../support/clients/buildx-client.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { withRemapUser } from '../support/machine/remap-user.ts';
import { makeKey, startAgent } from '../support/servers/ssh-git.ts';

inNamespaces(import.meta.url, { missing: whyNoBuildx() });

const folder = mkdtempSync(join(tmpdir(), 'userns-buildx-'));
chmodSync(folder, 0o711);
let daemon: Daemon;
let client: BuildxClient;
before(async () => {
  withRemapUser();
  ({ daemon, client } = await openBuildx(folder, ['--userns-remap', 'default']));
});
after(() => daemon[Symbol.asyncDispose]());

test('userns-remap: secrets and agents of a step belong to whom they say, as users of its container', { timeout: 90_000 }, async () => {
  const SSH_AUTH_SOCK = join(folder, 'agent');
  await using _agent = await startAgent(SSH_AUTH_SOCK, makeKey(folder, 'key'));
  const mounts = '--mount=type=secret,id=s --mount=type=secret,id=t,uid=5,gid=6,mode=0440 --mount=type=ssh';
  const script =
    'cat /run/secrets/s && stat -c "%u:%g:%a" /run/secrets/s /run/secrets/t $SSH_AUTH_SOCK && test -w $SSH_AUTH_SOCK && echo writable';
  const path = client.context({ Dockerfile: `FROM busybox\nRUN ${mounts} (${script}) > /seen\n`, secret: 'hidden\n' });
  const secrets = ['s', 't'].flatMap((id) => ['--secret', `id=${id},src=${join(path, 'secret')}`]);
  await client.succeeds(['buildx', 'build', '--load', '-t', 'seen', '--ssh', 'default', ...secrets, path], { env: { SSH_AUTH_SOCK } });
  const { stdout } = await client.succeeds(['run', '--rm', 'seen', 'cat', '/seen']);
  assert.equal(stdout, 'hidden\n0:0:400\n5:6:440\n0:0:600\nwritable\n');
});
