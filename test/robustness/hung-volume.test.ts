import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { missingForSquashfuse, squashfsImage } from '../support/disks/squashfs.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { createContainer, expect, removeContainer, runExec, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

// A volume is a FUSE file system whose program stops answering: it costs those who use it, and nobody else anything.
const skip = missingForSquashfuse() ?? false;
const folder = mkdtempSync(join(tmpdir(), 'hung-'));
let daemon: Daemon;

before(async () => {
  if (skip !== false) return;
  const flags = ['--plugin-dir', join(import.meta.dirname, '../examples')];
  daemon = await Daemon.start({ folder, flags });
  const { api } = daemon;
  await api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  squashfsImage(join(folder, 'image'), { file: 'inside\n', 'sub/file': 'below\n' });
  const json = { Name: 'pictures', Driver: 'squashfs', DriverOpts: { image: join(folder, 'image') } };
  await expect(api, 'POST', '/volumes/create', { statuses: [201], json });
  await createContainer(api, 'well', { command: ['sleep', '1000'] });
  await expect(api, 'POST', '/containers/well/start', { statuses: [204] });
});
after(() => daemon?.[Symbol.asyncDispose]());

const wishes: Readonly<Record<string, object>> = {
  'the volume': { Binds: ['pictures:/v'] },
  'a path inside the volume': { Mounts: [{ Type: 'volume', Source: 'pictures', Target: '/v', VolumeOptions: { Subpath: 'sub' } }] },
  'a host path inside of it': { Mounts: [{ Type: 'bind', Source: 'PLACE/sub', Target: '/v' }] },
};
for (const [what, wish] of Object.entries(wishes)) {
  test(`a container that is started with ${what} while that hangs keeps nobody else waiting, and can be removed`, { skip }, async () => {
    await using hung = await hangs();
    const { api } = daemon;
    const hostConfig = JSON.parse(JSON.stringify(wish).replace('PLACE', hung.place)) as Readonly<Record<string, unknown>>;
    const made = createContainer(api, 'late', { command: ['true'], hostConfig }).catch((error: unknown) =>
      assert.match(String(error), /503/),
    );
    const started = made.then(() => api.call('POST', '/containers/late/start'));
    await othersAreWell();
    await expect(api, 'GET', '/volumes', { statuses: [200] });
    await expect(api, 'GET', '/volumes/pictures', { statuses: [200] });
    await Promise.race([started, new Promise((resolve) => setTimeout(resolve, 15_000))]);
    await othersAreWell();
    hung.goOn();
    await started;
    await removeContainer(api, 'late');
  });
}

test('a container that uses a volume that hangs is stopped and removed like any other', { skip }, async () => {
  await using _hung = await hangs();
  await Promise.all([othersAreWell(), expect(daemon.api, 'DELETE', '/containers/user?force=1', { statuses: [204] })]);
  await createContainer(daemon.api, 'next', { command: ['cat', '/v/file'], hostConfig: { Binds: ['pictures:/v'] } });
  assert.equal(await runToEnd(daemon.api, 'next'), 0);
  await removeContainer(daemon.api, 'next');
});

async function othersAreWell(): Promise<void> {
  const { api } = daemon;
  for (let times = 0; times < 10; times += 1) {
    const began = performance.now();
    assert.equal((await api.call('GET', '/_ping')).body, 'OK');
    assert.ok(performance.now() - began < 1_000, 'the engine answers at once');
  }
  assert.equal(await runExec(api, 'well', ['true']), 0);
}

/** A running container that uses the volume, whose program is stopped; both go on, and the container goes, when disposed. */
async function hangs(): Promise<AsyncDisposable & { readonly goOn: () => void; readonly place: string }> {
  const { api, places } = daemon;
  await createContainer(api, 'user', { command: ['sleep', '1000'], hostConfig: { Binds: ['pictures:/v'] } });
  await expect(api, 'POST', '/containers/user/start', { statuses: [204] });
  const records = join(places.execRoot, 'helpers');
  const [id = assert.fail('no helper runs')] = readdirSync(records);
  const { pid } = JSON.parse(readFileSync(join(records, id, 'record.json'), 'utf8')) as { readonly pid: number };
  const place = / (\S*\/exec\/volumes\/\S+) /.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1] ?? '';
  process.kill(pid, 'SIGSTOP');
  const goOn = (): void => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It ended with its mount.
    }
  };
  return {
    place,
    goOn,
    [Symbol.asyncDispose]: async () => {
      goOn();
      await removeContainer(api, 'user').catch(() => undefined);
    },
  };
}
