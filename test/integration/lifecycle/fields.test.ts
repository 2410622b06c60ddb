import assert from 'node:assert/strict';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
  // The first one there makes the bridge.
  await under.run('true', { hostConfig: { NetworkMode: 'default' } });
});
after(() => under[Symbol.asyncDispose]());

interface Row {
  readonly script: string;
  readonly config?: ContainerConfig;
  readonly hostConfig?: HostConfig;
  readonly stdout: string | RegExp;
}

const canOpenFuse = 'mknod /tmp/fuse c 10 229 && (: < /tmp/fuse) 2> /dev/null && echo opened || echo refused';
const links = "ls /sys/class/net | tr '\\n' ' '";

/** What a field of a request does, seen from inside the container: that it is taken and shown proves nothing. */
const rows: Readonly<Record<string, Row>> = {
  'Hostname and Domainname': {
    script: 'hostname; cat /proc/sys/kernel/domainname',
    config: { Hostname: 'web', Domainname: 'example.test' },
    stdout: 'web\nexample.test',
  },
  User: { script: 'id -u; id -g', config: { User: '1000:1001' }, stdout: '1000\n1001' },
  'Env, and a name without a value takes one away': {
    script: 'echo $A; env | grep -c ^HOSTNAME=',
    config: { Env: ['A=1=2', 'HOSTNAME'] },
    stdout: '1=2\n0',
  },
  WorkingDir: { script: 'pwd', config: { WorkingDir: '/made/anew' }, stdout: '/made/anew' },
  NetworkDisabled: { script: links, config: { NetworkDisabled: true }, hostConfig: { NetworkMode: 'default' }, stdout: 'lo' },
  GroupAdd: { script: 'id -G', hostConfig: { GroupAdd: ['77', 'daemon'] }, stdout: /^0 (.* )?1 77$|^0 (.* )?77 1$|^0 77 1$/ },
  'Ulimits, without end too': {
    script: 'ulimit -n; ulimit -f; ulimit -c',
    hostConfig: {
      Ulimits: [
        { Name: 'nofile', Soft: 100, Hard: 200 },
        { Name: 'fsize', Soft: -1, Hard: -1 },
        { Name: 'core', Soft: -1, Hard: -1 },
      ],
    },
    stdout: '100\nunlimited\nunlimited',
  },
  OomScoreAdj: { script: 'cat /proc/self/oom_score_adj', hostConfig: { OomScoreAdj: 321 }, stdout: '321' },
  Sysctls: { script: 'cat /proc/sys/kernel/msgmax', hostConfig: { Sysctls: { 'kernel.msgmax': '12345' } }, stdout: '12345' },
  'IpcMode none': { script: 'grep -c " /dev/shm " /proc/mounts', hostConfig: { IpcMode: 'none' }, stdout: '0' },
  'PidMode host': { script: 'test $(ls -d /proc/[0-9]* | wc -l) -gt 3 && echo many', hostConfig: { PidMode: 'host' }, stdout: 'many' },
  'no DeviceCgroupRules': { script: canOpenFuse, hostConfig: { CapAdd: ['MKNOD'] }, stdout: 'refused' },
  DeviceCgroupRules: { script: canOpenFuse, hostConfig: { CapAdd: ['MKNOD'], DeviceCgroupRules: ['c 10:229 rwm'] }, stdout: 'opened' },
  'DeviceCgroupRules with stars': {
    script: canOpenFuse,
    hostConfig: { CapAdd: ['MKNOD'], DeviceCgroupRules: ['c 10:* r'] },
    stdout: 'opened',
  },
  'MaskedPaths of its own': { script: 'head -c 1 /proc/timer_list | wc -c', hostConfig: { MaskedPaths: [] }, stdout: /^[01]$/ },
  'ReadonlyPaths of its own': {
    script: 'grep -c " /proc/sys " /proc/mounts; grep -c " /etc " /proc/mounts',
    hostConfig: { ReadonlyPaths: ['/etc'] },
    stdout: '0\n1',
  },
  'Dns, DnsSearch and DnsOptions': {
    script: 'cat /etc/resolv.conf',
    hostConfig: { NetworkMode: 'default', Dns: ['192.0.2.9'], DnsSearch: ['a.test'], DnsOptions: ['ndots:3'] },
    stdout: /^nameserver 192\.0\.2\.9$[^]*^search a\.test$[^]*^options ndots:3$/m,
  },
  ExtraHosts: { script: 'cat /etc/hosts', hostConfig: { ExtraHosts: ['db:192.0.2.3'] }, stdout: /^192\.0\.2\.3\tdb$/m },
  Tmpfs: { script: 'df -k /t | tail -1', hostConfig: { Tmpfs: { '/t': 'size=1m' } }, stdout: /tmpfs\s+1024 / },
  'Tmpfs as a mount, with options': {
    script: 'grep " /t " /proc/mounts',
    hostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o700, Options: [['noexec']] } }] },
    stdout: /noexec.*size=1024k,mode=700/,
  },
  MacAddress: {
    script: 'cat /sys/class/net/eth0/address',
    config: { MacAddress: '02:00:00:00:00:42' },
    hostConfig: { NetworkMode: 'default' },
    stdout: '02:00:00:00:00:42',
  },
  'CapDrop and CapAdd': {
    script: 'grep CapBnd /proc/self/status | cut -f2',
    hostConfig: { CapDrop: ['ALL'], CapAdd: ['CAP_CHOWN', 'kill'] },
    stdout: '0000000000000021',
  },
  'SecurityOpt systempaths=unconfined': {
    script: 'grep -c " /proc/sys " /proc/mounts',
    hostConfig: { SecurityOpt: ['systempaths=unconfined'] },
    stdout: '0',
  },
  'UTSMode host': { script: 'readlink /proc/self/ns/uts', hostConfig: { UTSMode: 'host' }, stdout: /^uts:\[\d+\]$/ },
  'UsernsMode host': { script: 'cat /proc/self/uid_map', hostConfig: { UsernsMode: 'host' }, stdout: /^0\s+0\s+4294967295$/ },
  'StopTimeout and StopSignal are no business of its program': {
    script: 'echo runs',
    config: { StopTimeout: 1, StopSignal: 'SIGUSR1' },
    stdout: 'runs',
  },
};
for (const [field, { script, config = {}, hostConfig = {}, stdout }] of Object.entries(rows)) {
  test(`the field has its effect: ${field}`, async () => {
    const ended = await under.run(script, { config, hostConfig });
    if (typeof stdout === 'string') assert.equal(ended.stdout.trim(), stdout, ended.stderr);
    else assert.match(ended.stdout.trim(), stdout, ended.stderr);
  });
}

test('the field has its effect: IpcMode, PidMode and NetworkMode of another container', async () => {
  await using other = await under.sleeping({ hostConfig: { IpcMode: 'shareable' } });
  const space = (kind: string) => `readlink /proc/self/ns/${kind}`;
  const seen = async (id: string) => (await under.exec(id, ['sh', '-c', `${space('ipc')}; ${space('pid')}; ${space('net')}`])).stdout;
  const of = `container:${other.id}`;
  const { stdout } = await under.run(`${space('ipc')}; ${space('pid')}; ${space('net')}`, {
    hostConfig: { IpcMode: of, PidMode: of, NetworkMode: of },
  });
  assert.equal(stdout, await seen(other.id));
  await under.exec(other.id, ['sh', '-c', 'echo shared > /dev/shm/file']);
  assert.equal((await under.run('cat /dev/shm/file', { hostConfig: { IpcMode: of } })).stdout, 'shared\n');
  await using closed = await under.sleeping();
  await assert.rejects(under.run('true', { hostConfig: { IpcMode: `container:${closed.id}` } }), { code: 'conflict' });
});

test('the field has its effect: VolumesFrom, Links and the environment of links', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'fields-'));
  await using store = await under.sleeping({
    name: 'store',
    config: { ExposedPorts: { '80/tcp': {} } },
    hostConfig: { NetworkMode: 'default', Binds: [`${folder.path}:/data`] },
  });
  await under.exec(store.id, ['sh', '-c', 'echo kept > /data/file']);
  const { stdout } = await under.run(
    'cat /data/file; touch /data/x 2> /dev/null || echo ro; grep -cw db /etc/hosts; echo $DB_PORT_80_TCP_PORT',
    {
      hostConfig: { NetworkMode: 'default', VolumesFrom: ['store:ro'], Links: ['store:db'] },
    },
  );
  assert.equal(stdout, 'kept\nro\n1\n80\n');
});

test('an image for another platform than the one that is asked for is not taken', async () => {
  const create = (platform: string) =>
    under.engine.containers.create({ config: { Image: 'busybox', Cmd: ['true'] }, hostConfig: { NetworkMode: 'none' }, platform });
  await assert.rejects(create('linux/s390x'), {
    code: 'not_found',
    message:
      /^image with reference busybox was found but its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)$/,
  });
  const { id } = await create('linux');
  await under.engine.containers.remove(id, { force: true, volumes: true });
});

test('the field has its effect: Ulimits without end, in execs', async () => {
  await using container = await under.sleeping({ hostConfig: { Ulimits: [{ Name: 'fsize', Soft: -1, Hard: -1 }] } });
  // What looks like a limit in a text stays what it is.
  const { stdout } = await under.exec(container.id, ['sh', '-c', `ulimit -f; echo '"soft":9007199254740991'`]);
  assert.equal(stdout, 'unlimited\n"soft":9007199254740991\n');
});
