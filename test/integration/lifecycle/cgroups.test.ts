import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { LifecycleUnderTest, testRoot } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** Whether nothing but cgroup v2 is there: each row says what the limit is in either version. */
const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
const mebibyte = 1 << 20;

const root = testRoot();
let engine: LifecycleUnderTest;
before(async () => {
  engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
  await engine.run('true');
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});
leakGuard();

for (const Runtime of ['crun', 'runc']) {
  test(`limits are in the container's cgroup, and Containers.update() changes them while it runs (${Runtime})`, async () => {
    await using container = await started('sleep 60', {
      Runtime,
      Memory: 32 * mebibyte,
      MemorySwap: 48 * mebibyte,
      MemoryReservation: 16 * mebibyte,
      NanoCpus: 5e8,
      PidsLimit: 20,
    });
    assert.deepEqual(limitsOf(container.id), { memory: 32, swap: 48, reservation: 16, cpu: 0.5, pids: '20' });
    const { warnings } = await engine.containers.update(container.id, { Memory: 64 * mebibyte, MemorySwap: 64 * mebibyte, PidsLimit: 30 });
    assert.deepEqual(warnings, []);
    assert.deepEqual(limitsOf(container.id), { memory: 64, swap: 64, reservation: 16, cpu: 0.5, pids: '30' });
    const { memory, pids } = (await engine.containers.stats(container.id, { withPrevious: false })) ?? assert.fail();
    assert.deepEqual([memory.limitBytes, pids.limit, pids.current], [64 * mebibyte, 30, 1]);
  });

  test(`Containers.stats() counts what the container takes (${Runtime})`, async () => {
    await using container = await started('dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; while :; do :; done', {
      Runtime,
      NanoCpus: 2e8,
    });
    const read = async () => (await engine.containers.stats(container.id, { withPrevious: false })) ?? assert.fail();
    let now = await read();
    // The time of a throttling is booked when it is over; what the runtime itself takes on a slow machine comes before what the program does.
    const isIdle = (): boolean => now.cpu.totalNs < 3e8 || now.cpu.throttledNs === 0 || now.cpu.userNs + now.cpu.systemNs === 0;
    while (isIdle() || now.memory.usageBytes < 8 * mebibyte) {
      await sleep(50);
      now = await read();
    }
    assert.ok(now.cpu.userNs + now.cpu.systemNs > 0 && now.cpu.throttledNs > 0 && now.cpu.periods >= now.cpu.throttledPeriods);
    assert.ok((now.memory.stat['shmem'] ?? now.memory.stat['total_shmem'] ?? 0) >= 8 * mebibyte);
    assert.equal(now.cgroupVersion, isUnified ? 2 : 1);
  });

  test(`a container that is paused does nothing until it is resumed, or killed (${Runtime})`, async () => {
    await using container = await started('while :; do date +%s%N >/beat; done', { Runtime });
    const spent = async () => ((await engine.containers.stats(container.id, { withPrevious: false })) ?? assert.fail()).cpu.totalNs;
    await engine.containers.pause(container.id);
    const paused = await spent();
    await sleep(300);
    // What ran when it froze is booked a moment later.
    const frozen = await spent();
    assert.ok(frozen - paused < 30e6, `${frozen - paused} ns`);
    await sleep(300);
    assert.equal(await spent(), frozen);
    await engine.containers.unpause(container.id);
    while ((await spent()) === frozen) await sleep(20);
    await engine.containers.pause(container.id);
    await engine.containers.kill(container.id);
    assert.equal(engine.containers.inspect(container.id).state.exitCode, 137);
  });

  test(`a container that is killed for want of memory says so, one that only has a process killed does not end (${Runtime})`, async () => {
    const hostConfig = { NetworkMode: 'none', Runtime, Memory: 16 * mebibyte, MemorySwap: 16 * mebibyte };
    const { exitCode, container } = await engine.run('tail /dev/zero', { hostConfig });
    assert.deepEqual([exitCode, container.state.oomKilled], [137, true]);
    const survived = await engine.run('(tail /dev/zero); echo $?', { hostConfig });
    assert.deepEqual([survived.stdout, survived.exitCode], ['137\n', 0]);
  });

  test(`a container may have so many processes (${Runtime})`, async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>&1; wait';
    const { stdout, stderr } = await engine.run(script, { hostConfig: { NetworkMode: 'none', Runtime, PidsLimit: 5 } });
    assert.match(stdout + stderr, /can't fork/);
  });

  test(`a container sees its own cgroup alone where the kernel has but version 2, a privileged one as well (${Runtime})`, async () => {
    for (const Privileged of [false, true]) {
      const hostConfig = { NetworkMode: 'none', Runtime, Privileged };
      const { stdout, container } = await engine.run(`grep ${isUnified ? '^0::' : ':pids:'} /proc/self/cgroup`, { hostConfig });
      const seen = stdout.trim().split(':').at(-1);
      assert.equal(container.hostConfig.CgroupnsMode, isUnified ? 'private' : 'host');
      assert.equal(seen, isUnified ? '/' : `/gantry/${container.id}`);
    }
    const { stdout } = await engine.run('cat /proc/self/cgroup', { hostConfig: { NetworkMode: 'none', Runtime, CgroupnsMode: 'host' } });
    assert.match(stdout, /:\/gantry\/[0-9a-f]{64}$/m);
  });

  test(`Containers.remove() ends all that a container forked into the machine's pid namespace (${Runtime})`, async () => {
    const id = await engine.create('sleep 7040 & sleep 7040 & echo; wait', {
      hostConfig: { NetworkMode: 'none', Runtime, PidMode: 'host' },
    });
    await engine.containers.start(id);
    while ((await engine.containers.top(id)).processes.length < 3) await sleep(20);
    await engine.containers.remove(id, { force: true });
    assert.equal(existsSync(folderOf(id)), false);
  });

  test(`what this version of cgroups lacks is left out, and said (${Runtime})`, async () => {
    const { id, warnings } = await engine.containers.create({
      config: { Image: 'busybox', Cmd: ['true'] },
      hostConfig: { NetworkMode: 'none', Runtime, Memory: 32 * mebibyte, MemorySwappiness: 10, OomKillDisable: true },
    });
    const { result } = engine.containers.wait(id, 'next-exit');
    await engine.containers.start(id);
    const { exitCode } = await result;
    const { MemorySwappiness, OomKillDisable } = engine.containers.inspect(id).hostConfig;
    assert.deepEqual(
      [exitCode, MemorySwappiness, OomKillDisable, warnings.map((line) => /(\w+) discarded/.exec(line)?.[1])],
      isUnified ? [0, null, null, ['swappiness', 'OomKillDisable']] : [0, 10, true, []],
    );
    await engine.containers.remove(id);
  });
}

async function started(script: string, hostConfig: NonNullable<Parameters<LifecycleUnderTest['create']>[1]>['hostConfig']) {
  const id = await engine.create(script, { hostConfig: { NetworkMode: 'none', ...hostConfig } });
  await engine.containers.start(id);
  return { id, [Symbol.asyncDispose]: () => engine.containers.remove(id, { force: true }) };
}

function folderOf(id: string, controller = 'pids'): string {
  return isUnified ? `/sys/fs/cgroup/gantry/${id}` : `/sys/fs/cgroup/${controller}/gantry/${id}`;
}

/** In MiB and CPUs; `swap` is with memory, as Docker counts. */
function limitsOf(id: string): unknown {
  const read = (file: string, controller?: string): string => readFileSync(`${folderOf(id, controller)}/${file}`, 'utf8').trim();
  const inMebibytes = (text: string): number => Number(text) / mebibyte;
  const pids = read('pids.max', 'pids');
  if (!isUnified) {
    return {
      memory: inMebibytes(read('memory.limit_in_bytes', 'memory')),
      swap: inMebibytes(read('memory.memsw.limit_in_bytes', 'memory')),
      reservation: inMebibytes(read('memory.soft_limit_in_bytes', 'memory')),
      cpu: Number(read('cpu.cfs_quota_us', 'cpu')) / Number(read('cpu.cfs_period_us', 'cpu')),
      pids,
    };
  }
  const [quota, period] = read('cpu.max').split(' ').map(Number);
  const memory = inMebibytes(read('memory.max'));
  return {
    memory,
    swap: memory + inMebibytes(read('memory.swap.max')),
    reservation: inMebibytes(read('memory.low')),
    cpu: (quota ?? 0) / (period ?? 1),
    pids,
  };
}
