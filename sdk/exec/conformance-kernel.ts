import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  create,
  type ExecCases,
  type ExecUnderTest,
  finish,
  gone,
  nextExit,
  outputOf,
  running,
  type Spec,
  until,
} from './conformance-harness.ts';

/** That what config.json says holds in the container: for drivers whose containers are processes of a Linux kernel. */
export const kernelCases: ExecCases = {
  'start.oom-flag': async (subject) => {
    if (!(await canLimitMemory(subject))) return noMemory;
    await using container = await create(subject, { script: 'tail /dev/zero', spec: limited(memory(16)) });
    const { exitCode, oomKilled } = await finish(subject, container.id);
    assert.deepEqual([exitCode, oomKilled], [137, true]);
    assert.equal((await subject.driver.state(container, subject.ctx)).oomKilled, true);
    await using other = await create(subject, { script: 'kill -9 $$', spec: limited(memory(16)) });
    assert.equal((await finish(subject, other.id)).oomKilled, false);
    return undefined;
  },
  'update.memory': async (subject) => {
    if (!(await canLimitMemory(subject))) return noMemory;
    await using container = await running(subject, { spec: limited(memory(64)) });
    await subject.driver.update({ id: container.id, resources: memory(32) }, subject.ctx);
    assert.equal((await subject.driver.stats(container, subject.ctx)).memory.limitBytes, 32 << 20);
    return undefined;
  },
  'stats.fields': async (subject) => {
    await using container = await running(subject, { script: 'while true; do :; done' });
    // A kernel may count in ticks.
    await until(async () => (await subject.driver.stats(container, subject.ctx)).cpu.totalNs > 0);
    const before = Date.now();
    const { readAt, cgroupVersion, cpu, memory: used, pids, blockIo } = await subject.driver.stats(container, subject.ctx);
    assert.ok(Math.abs(readAt.getTime() - before) < 5_000);
    assert.ok([1, 2].includes(cgroupVersion));
    assert.ok(cpu.totalNs > 0 && cpu.userNs >= 0 && cpu.systemNs >= 0, JSON.stringify(cpu));
    if (await canLimitMemory(subject)) assert.ok(used.usageBytes > 0 && Object.keys(used.stat).length > 0, JSON.stringify(used));
    assert.ok(pids.current >= 0 && Array.isArray(blockIo));
    return undefined;
  },
  'rootfs.readonly': async (subject) => {
    const script = 'touch /x || echo refused';
    assert.equal(
      (await outputOf(subject, { script, spec: (spec) => ({ ...spec, root: { ...spec.root, readonly: true } }) })).stdout,
      'refused\n',
    );
  },
  'mounts.order': async (subject) => {
    const script = 'touch /tmp/a/x && (touch /tmp/a/b/x || echo refused); ls /tmp/a';
    const tmpfs = (destination: string, ...options: readonly string[]) => ({ destination, type: 'tmpfs', source: 'tmpfs', options });
    const mounts = [tmpfs('/tmp/a'), tmpfs('/tmp/a', 'mode=755'), tmpfs('/tmp/a/b', 'ro')];
    const spec = (given: Spec): Spec => ({ ...given, mounts: [...given.mounts, ...mounts] });
    assert.equal((await outputOf(subject, { script, spec })).stdout, 'refused\nb\nx\n');
  },
  'caps.dropped': async (subject) => {
    const held = ['CAP_CHOWN', 'CAP_KILL'];
    const capabilities = { bounding: held, effective: held, permitted: held, inheritable: [], ambient: [] };
    const { stdout } = await outputOf(subject, { script: statusOf('Cap(Eff|Bnd|Amb)'), spec: withProcess({ capabilities }) });
    assert.deepEqual(stdout.split(/\s+/).slice(0, 6), ['CapEff:', hex(0x21), 'CapBnd:', hex(0x21), 'CapAmb:', hex(0)]);
  },
  'seccomp.applied': async (subject) => {
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    };
    const script = `mkdir /tmp/x 2>&1; ${statusOf('Seccomp')}`;
    const { stdout } = await outputOf(subject, { script, spec: withLinux({ seccomp }) });
    assert.match(stdout, /Operation not permitted\nSeccomp:\s+2\n/);
  },
  'no-new-privs': async (subject) => {
    const { stdout } = await outputOf(subject, { script: statusOf('NoNewPrivs'), spec: withProcess({ noNewPrivileges: true }) });
    assert.match(stdout, /:\s+1\n/);
  },
  userns: async (subject) => {
    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const spec = (given: Spec): Spec => ({
      ...given,
      linux: { ...given.linux, namespaces: [...given.linux.namespaces, { type: 'user' }], uidMappings: map, gidMappings: map },
    });
    const container = await running(subject, { script: 'id -u; sleep 60', spec }).catch((error: unknown) => error);
    if (!(container instanceof Object && 'pid' in container)) return `no user namespaces here: ${String(container)}`;
    await using alive = container as Awaited<ReturnType<typeof running>>;
    assert.match(readFileSync(`/proc/${alive.pid}/status`, 'utf8'), /^Uid:\s+100000\s/m);
    return undefined;
  },
  'cgroup.path': async (subject) => {
    await using container = await running(subject);
    const { cgroupsPath } = specOf(container.request.bundle).linux;
    assert.ok(
      readFileSync(`/proc/${container.pid}/cgroup`, 'utf8')
        .trimEnd()
        .split('\n')
        .some((line) => line.endsWith(cgroupsPath)),
    );
  },
  rlimits: async (subject) => {
    const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 123, hard: 456 }];
    assert.equal((await outputOf(subject, { script: 'ulimit -Sn; ulimit -Hn', spec: withProcess({ rlimits }) })).stdout, '123\n456\n');
  },
  'hostname-domain': async (subject) => {
    const spec = (given: Spec): Spec => ({ ...given, hostname: 'inside' });
    assert.equal((await outputOf(subject, { script: 'hostname', spec })).stdout, 'inside\n');
  },
  'hooks.order': async (subject) => {
    const request = subject.container({ script: 'echo program >> /hooks/log', spec: hooked });
    const folder = join(request.bundle, 'hooks');
    mkdirSync(folder);
    await subject.driver.create(request, subject.ctx);
    await finish(subject, request.id);
    await subject.driver.delete({ id: request.id, force: false }, subject.ctx);
    const said = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
    // poststart runs beside the program.
    assert.deepEqual(
      said.filter((line) => line !== 'program'),
      ['createRuntime', 'poststart', 'poststop'],
    );
    assert.ok(said.indexOf('program') > 0 && said.indexOf('program') < 3, said.join(' '));
  },
  'monitor.killed': async (subject) => {
    await using container = await running(subject);
    const exit = nextExit(subject, container.id);
    process.kill(container.monitorPid, 'SIGKILL');
    await sleep(50);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 255);
  },
  'reaped.init-and-monitor': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await finish(subject, container.id);
    await gone(container.pid);
    await gone(container.monitorPid);
  },
};

/** The log lies on the host, and the container sees it. A hook that does not read the state would break the runtime's pipe. */
function hooked(spec: Spec, bundle: string): Spec {
  const folder = join(bundle, 'hooks');
  const hook = (name: string) => ({ path: '/bin/sh', args: ['sh', '-c', `cat > /dev/null; echo ${name} >> ${folder}/log`] });
  return {
    ...spec,
    hooks: { createRuntime: [hook('createRuntime')], poststart: [hook('poststart')], poststop: [hook('poststop')] },
    mounts: [...spec.mounts, { destination: '/hooks', type: 'bind', source: folder, options: ['rbind'] }],
  };
}

const noMemory = 'no memory controller here';
const hex = (value: number): string => value.toString(16).padStart(16, '0');
const memory = (mebibytes: number) => ({ memory: { limit: mebibytes << 20, swap: mebibytes << 20 } });
const statusOf = (field: string): string => `grep -E '^${field}:' /proc/self/status`;
const limited = (resources: object) => withLinux({ resources });

function withProcess(changes: object): (spec: Spec) => Spec {
  return (spec) => ({ ...spec, process: { ...spec.process, ...changes } });
}

function withLinux(changes: object): (spec: Spec) => Spec {
  return (spec) => ({ ...spec, linux: { ...spec.linux, ...changes } });
}

function specOf(bundle: string): Spec {
  return JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as Spec;
}

async function canLimitMemory(subject: ExecUnderTest): Promise<boolean> {
  await using container = await running(subject);
  const { memory: used } = await subject.driver.stats(container, subject.ctx);
  return Object.keys(used.stat).length > 0;
}
