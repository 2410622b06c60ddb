import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { after, before, test } from 'node:test';
import { type DockerApi, dockerApi } from '../../support/clients/docker-api.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
let api: DockerApi & AsyncDisposable;
before(async () => {
  under = await EngineUnderTest.open({
    addressPools: [{ base: '10.66.0.0/16', size: 24 }],
    networkOptions: { bridge: { 'com.docker.network.driver.mtu': '1370' } },
    containerDefaults: { noNewPrivileges: true, seccompProfile: 'unconfined' },
    labels: ['a=b'],
    debug: true,
  });
  await under.warm();
  // What networks are made with is opened once, for all of them.
  await under.run('true', { hostConfig: { NetworkMode: 'bridge' } });
  api = await dockerApi(under.engine);
});
after(async () => {
  await api[Symbol.asyncDispose]();
  await under[Symbol.asyncDispose]();
});

type Info = Readonly<Record<string, unknown>> & {
  readonly Warnings: readonly string[] | null;
  readonly Runtimes: Readonly<Record<string, unknown>>;
};
const info = () => api.json<Info>('GET /info');

test('info says what this machine can do', async () => {
  const shown = await info();
  const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const has = (v1: string, controller: string) =>
    isUnified
      ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ').includes(controller)
      : existsSync(`/sys/fs/cgroup/${v1}`);
  const wanted = {
    MemoryLimit: has('memory/memory.limit_in_bytes', 'memory'),
    CpuCfsQuota: has('cpu/cpu.cfs_quota_us', 'cpu'),
    CPUSet: has('cpuset/cpuset.cpus', 'cpuset'),
    PidsLimit: has('pids', 'pids'),
    CgroupVersion: isUnified ? '2' : '1',
    KernelVersion: release(),
    Debug: true,
    Labels: ['a=b'],
    DefaultAddressPools: [{ Base: '10.66.0.0/16', Size: 24 }],
  };
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, shown[key]])), wanted);
  assert.ok(Number(shown['NFd']) > 3);
  assert.ok(Object.keys(shown.Runtimes).length > 0);
  const options = shown['SecurityOptions'] as readonly string[];
  assert.ok(options.includes('name=seccomp,profile=unconfined') && options.includes('name=no-new-privileges'), options.join());
});

test('info follows the machine: forwarding that is off is a warning', async () => {
  const path = '/proc/sys/net/ipv4/ip_forward';
  const before_ = readFileSync(path, 'utf8');
  for (const [value, isOn] of [
    ['0', false],
    ['1', true],
  ] as const) {
    writeFileSync(path, value);
    const { IPv4Forwarding, Warnings } = await info();
    assert.equal(IPv4Forwarding, isOn);
    assert.equal((Warnings ?? []).includes('WARNING: IPv4 forwarding is disabled'), !isOn);
  }
  writeFileSync(path, before_);
});

test('info follows a reload', async () => {
  under.engine.reload({ labels: ['c=d'], debug: false });
  const { Labels, Debug } = await info();
  assert.deepEqual([Labels, Debug], [['c=d'], false]);
});

test('EngineOptions.addressPools and networkOptions are those of networks that leave it open', async () => {
  const { networks } = under.engine;
  await networks.create({ name: 'plain' });
  await networks.create({
    name: 'own',
    ipam: { Config: [{ Subnet: '10.99.0.0/24' }] },
    options: { 'com.docker.network.driver.mtu': '1400' },
  });
  const seen = (name: string) => {
    const { ipam, options } = networks.inspect(name);
    return [ipam.Config?.[0]?.Subnet, options['com.docker.network.driver.mtu']];
  };
  assert.match(String(seen('plain')), /^10\.66\.\d+\.0\/24,1370$/);
  assert.deepEqual(seen('own'), ['10.99.0.0/24', '1400']);
  assert.equal(networks.inspect('bridge').options['com.docker.network.driver.mtu'], '1500');
  await networks.remove('plain');
  await networks.remove('own');
});
