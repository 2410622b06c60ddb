import assert from 'node:assert/strict';
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HostConfig } from '@gantry/sdk/engine';
import { attachLoop, deviceNumbers, type LoopDevice } from '@gantry/sdk/linux';
import { hostAbilities } from '../../../core/lifecycle/start/cgroups.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { collect, LifecycleUnderTest, testRoot } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
const hasController = existsSync('/sys/fs/cgroup/blkio') || /\bio\b/.test(readIfThere('/sys/fs/cgroup/cgroup.controllers'));
inNamespaces(import.meta.url, { cgroups: 'v1', missing: hasController ? undefined : 'needs the cgroup controller for block devices' });

/** As Docker looks: those of BFQ in version 1 do not count, and not every runtime knows them. */
const hasWeights = hostAbilities().hasBlkioWeight;
const mebibyte = 1 << 20;
const root = testRoot();
/** 8 MiB in a file, as a block device. */
let disk: LoopDevice;
let device: string;
let number: string;
let engine: LifecycleUnderTest;

before(async () => {
  const path = join(tmpdir(), 'block-io-disk');
  const file = openSync(path, 'wx+');
  ftruncateSync(file, 8 * mebibyte);
  disk = attachLoop(file);
  closeSync(file);
  rmSync(path); // the device keeps it
  device = disk.path;
  const { major, minor } = deviceNumbers(statSync(device).rdev);
  number = `${major}:${minor}`;
  engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
  await engine.run('true');
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
  disk[Symbol.dispose]();
});
leakGuard();

for (const Runtime of ['crun', 'runc']) {
  test(`rates of a device are in the container's cgroup (${Runtime})`, async () => {
    await using container = await started('sleep 60', {
      Runtime,
      BlkioDeviceReadBps: [{ Path: device, Rate: 3 * mebibyte }],
      BlkioDeviceWriteBps: [{ Path: device, Rate: 2 * mebibyte }],
      BlkioDeviceReadIOps: [{ Path: device, Rate: 300 }],
      BlkioDeviceWriteIOps: [{ Path: device, Rate: 200 }],
    });
    assert.deepEqual(ratesOf(container.id), { rbps: 3 * mebibyte, wbps: 2 * mebibyte, riops: 300, wiops: 200 });
  });

  test(`a container reads and writes a device no faster than it may, which Containers.stats() counts (${Runtime})`, async () => {
    const dd = (words: string): string => `dd ${words} bs=64k count=32 2>/dev/null`;
    const now = 'cut -d" " -f1 /proc/uptime';
    const script = [now, dd('if=/dev/disk of=/dev/null iflag=direct'), now, dd('if=/dev/zero of=/dev/disk oflag=direct'), now].join('; ');
    await using container = await started(`(${script}) >/times; touch /done; sleep 60`, {
      Runtime,
      Devices: [{ PathOnHost: device, PathInContainer: '/dev/disk', CgroupPermissions: 'rw' }],
      BlkioDeviceReadBps: [{ Path: device, Rate: mebibyte }],
      BlkioDeviceWriteBps: [{ Path: device, Rate: mebibyte }],
    });
    const times = await output(container.id, 'until [ -e /done ]; do sleep 0.1; done; cat /times');
    const [began = 0, wasRead = 0, written = 0] = times.trim().split('\n').map(Number);
    // Two MiB at one MiB a second; the kernel lets a first slice of it pass at once.
    for (const spent of [wasRead - began, written - wasRead]) assert.ok(spent > 1, `${spent} s`);
    const { blockIo } = (await engine.containers.stats(container.id, { withPrevious: false })) ?? assert.fail();
    const bytes = (op: string): number => blockIo.find((one) => `${one.major}:${one.minor} ${one.op}` === `${number} ${op}`)?.bytes ?? 0;
    assert.ok(bytes('read') >= 2 * mebibyte, `${bytes('read')} bytes were read`);
    assert.ok(bytes('write') >= 2 * mebibyte, `${bytes('write')} bytes were written`);
  });

  test(`a weight is in the container's cgroup, and Containers.update() changes it while it runs (${Runtime})`, async (context) => {
    if (!hasWeights) return context.skip('needs a kernel with weights of disks');
    await using container = await started('sleep 60', { Runtime, BlkioWeight: 300 });
    assert.equal(weightOf(container.id), 300);
    assert.deepEqual((await engine.containers.update(container.id, { BlkioWeight: 700 })).warnings, []);
    assert.equal(weightOf(container.id), 700);
    assert.equal(engine.containers.inspect(container.id).hostConfig.BlkioWeight, 700);
    return undefined;
  });
}

for (const [what, hostConfig, message] of [
  [
    'a rate of what is not there',
    { BlkioDeviceReadBps: [{ Path: '/dev/no-such-disk', Rate: 1 }] },
    /^no such device: \/dev\/no-such-disk$/,
  ],
  ['a rate of what is no disk', { BlkioDeviceWriteIOps: [{ Path: '/dev/null', Rate: 1 }] }, /^\/dev\/null is not a block device$/],
  ...(hasWeights ? [['a weight that is too small', { BlkioWeight: 9 }, /^Range of blkio weight is from 10 to 1000$/] as const] : []),
] as const) {
  test(`a container with ${what} is refused, and nothing is left`, async () => {
    await assert.rejects(engine.run('true', { hostConfig: { NetworkMode: 'none', ...hostConfig } }), { code: 'invalid_argument', message });
  });
}

test('a weight that the kernel does not have is left out, with a warning', {
  skip: hasWeights && 'this kernel has weights of disks',
}, async () => {
  const { id, warnings } = await engine.containers.create({
    config: { Image: 'busybox', Cmd: ['true'] },
    hostConfig: { NetworkMode: 'none', BlkioWeight: 300 },
  });
  assert.deepEqual(warnings, ['Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.']);
  assert.equal(engine.containers.inspect(id).hostConfig.BlkioWeight, 0);
  await engine.containers.remove(id);
});

async function started(script: string, hostConfig: HostConfig) {
  const id = await engine.create(script, { hostConfig: { NetworkMode: 'none', ...hostConfig } });
  await engine.containers.start(id);
  return { id, [Symbol.asyncDispose]: () => engine.containers.remove(id, { force: true }) };
}

/** Of a script that runs in the container. */
async function output(id: string, script: string): Promise<string> {
  const { id: exec } = await engine.execs.create(id, { cmd: ['sh', '-c', script], attachStdout: true });
  const { attached } = await engine.execs.start(exec, { detach: false });
  return (await collect(attached?.output ?? assert.fail())).stdout;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function read(id: string, file: string): string {
  return readFileSync(`/sys/fs/cgroup/${isUnified ? '' : 'blkio/'}gantry/${id}/${file}`, 'utf8').trim();
}

/** By the names of io.max. */
function ratesOf(id: string): Readonly<Record<string, number>> {
  const ofDevice = (file: string): string =>
    read(id, file)
      .split('\n')
      .find((line) => line.startsWith(`${number} `))
      ?.slice(number.length + 1) ?? '';
  if (isUnified) {
    const pairs = ofDevice('io.max')
      .split(' ')
      .map((pair) => pair.split('='));
    return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
  }
  const rate = (name: string): number => Number(ofDevice(`blkio.throttle.${name}_device`));
  return { rbps: rate('read_bps'), wbps: rate('write_bps'), riops: rate('read_iops'), wiops: rate('write_iops') };
}

/** In Docker's numbers, 10 to 1000: BFQ counts so itself, io.weight from 1 to 10000. */
function weightOf(id: string): number {
  const files = isUnified ? ['io.bfq.weight', 'io.weight'] : ['blkio.bfq.weight', 'blkio.weight'];
  const folder = `/sys/fs/cgroup/${isUnified ? '' : 'blkio/'}gantry/${id}`;
  const file = files.find((name) => existsSync(join(folder, name))) ?? assert.fail('this kernel has no weights');
  const value = Number(/\d+/.exec(read(id, file))?.[0]);
  return file === 'io.weight' ? Math.round(10 + ((value - 1) * 990) / 9999) : value;
}
