import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { HostConfig } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const under = await EngineUnderTest.open();
after(() => under[Symbol.asyncDispose]());
const { images, volumes } = under.engine;

for (const [what, hostConfig] of [
  ['-v :nocopy', { Binds: ['empty:/bin:nocopy'] }],
  ['volume-nocopy', { Mounts: [{ Type: 'volume', Source: 'empty', Target: '/bin', VolumeOptions: { NoCopy: true } }] }],
] as const satisfies readonly (readonly [string, HostConfig])[]) {
  test(`a new volume with ${what} gets nothing of what the image has there, also when it is used again without`, async () => {
    {
      await using _container = await under.created('true', { hostConfig });
      assert.deepEqual(await contentsOf('empty'), []);
    }
    {
      // It is still empty: who does not say so fills it.
      await using _container = await under.created('true', { hostConfig: { Binds: ['empty:/bin'] } });
      assert.ok((await contentsOf('empty')).length > 10);
    }
    await volumes.remove('empty', { force: false });
  });
}

test('an image mounted in a container is read-only, is the one it was, and cannot be removed meanwhile', async () => {
  await under.image('tool', [header({ name: 'opt/', type: '5', mode: 0o755 }), entry('opt/version', 'one')]);
  const mount = (Subpath?: string): HostConfig => ({
    Mounts: [{ Type: 'image', Source: 'tool', Target: '/tool', ...(Subpath !== undefined && { ImageOptions: { Subpath } }) }],
  });
  const first = images.inspect('tool').id;
  await using users = new AsyncDisposableStack();
  const container = users.use(await under.sleeping({ hostConfig: mount() }));
  const below = users.use(await under.sleeping({ hostConfig: mount('opt') }));
  const { stdout, stderr } = await under.exec(container.id, ['sh', '-c', 'cat /tool/opt/version; touch /tool/new']);
  assert.equal(stdout, 'one');
  assert.match(stderr, /Read-only file system/);
  assert.equal((await under.exec(below.id, ['ls', '/tool'])).stdout, 'version\n');
  // The name means another image now; who has the first keeps it, over a restart too.
  await under.image('tool', [entry('opt/version', 'two')]);
  await under.engine.containers.restart(container.id, { timeoutSeconds: 1 });
  assert.equal((await under.exec(container.id, ['cat', '/tool/opt/version'])).stdout, 'one');
  await assert.rejects(images.remove(first, { force: true, prune: true }), {
    code: 'conflict',
    message: /is being used by running container/,
  });
  assert.deepEqual((await images.prune({})).deleted, []);
  await users.disposeAsync();
  assert.deepEqual(
    (await images.prune({})).deleted.filter((one) => 'deleted' in one && one.deleted === first),
    [{ deleted: first }],
  );
});

test('an image that is not there, and a path that the image has not, are told by name', async () => {
  const mount = (Source: string, Subpath?: string): HostConfig => ({
    Mounts: [{ Type: 'image', Source, Target: '/tool', ...(Subpath !== undefined && { ImageOptions: { Subpath } }) }],
  });
  await assert.rejects(under.run('true', { hostConfig: mount('nosuch') }), { code: 'not_found', message: /No such image: nosuch/ });
  await assert.rejects(under.run('true', { hostConfig: mount('busybox', 'no/such') }), /no\/such/);
});

/** Names at the top of a volume, read through a container. */
async function contentsOf(volume: string): Promise<readonly string[]> {
  const { stdout } = await under.run('ls -A /m', {
    hostConfig: { Mounts: [{ Type: 'volume', Source: volume, Target: '/m', ReadOnly: true }] },
  });
  return stdout.split('\n').filter((line) => line !== '');
}
