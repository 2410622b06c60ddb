import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { type Ended, EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let subject: EngineUnderTest;
before(async () => {
  subject = await EngineUnderTest.open();
  await subject.run('true');
});
after(() => subject[Symbol.asyncDispose]());
beforeEach(() => subject.warm());
leakGuard();

const runtimes = ['crun', 'runc'];
const shell = (script: string) => ['sh', '-c', script];

for (const Runtime of runtimes) {
  test(`SEC-41 (${Runtime}) init and exec'd processes have the descriptors 0, 1 and 2 only`, async () => {
    // One more is that of ls itself.
    const list = 'ls /proc/self/fd | sort -n | tr "\\n" " "';
    assert.equal((await subject.run(list, { hostConfig: { NetworkMode: 'none', Runtime } })).stdout, '0 1 2 3 ');
    await using container = await subject.sleeping({ hostConfig: { NetworkMode: 'none', Runtime } });
    assert.equal((await subject.exec(container.id, shell(list))).stdout, '0 1 2 3 ');
    assert.equal((await subject.exec(container.id, shell('ls /proc/1/fd | sort -n | tr "\\n" " "'))).stdout, '0 1 2 ');
  });

  test(`SEC-44 (${Runtime}) device nodes of disks and memory cannot be opened, control groups cannot be written`, async () => {
    // runc before 1.2 lets every container have /dev/net/tun, behind whatever rules it is given.
    const tun = Runtime === 'runc' ? '' : '"c 10 200"';
    const script = `
      for node in "b 8 0" "b 7 0" "c 1 1" "c 1 2" ${tun}; do
        mknod /tmp/node $node && { dd if=/tmp/node of=/dev/null bs=1 count=1 2>&1 || true; } | grep -o "Operation not permitted"; rm -f /tmp/node
      done
      for file in $(find /sys/fs/cgroup -name cgroup.procs -o -name tasks -o -name devices.allow); do echo 1 2>/dev/null >$file && echo "wrote $file"; done
      mkdir /sys/fs/cgroup/memory/evil 2>/dev/null && echo made
      echo end`;
    const { stdout } = await subject.run(script, { hostConfig: { NetworkMode: 'none', Runtime } });
    assert.equal(stdout, `${'Operation not permitted\n'.repeat(tun === '' ? 4 : 5)}end\n`);
  });

  test(`SEC-45 (${Runtime}) inheritable and ambient capabilities are empty in run, exec, exec of another user and privileged exec`, async () => {
    const caps = 'grep -E "^Cap(Inh|Amb)" /proc/self/status | cut -f2 | sort -u';
    const none = `${'0'.repeat(16)}\n`;
    assert.equal((await subject.run(caps, { hostConfig: { NetworkMode: 'none', Runtime } })).stdout, none);
    await using container = await subject.sleeping({ hostConfig: { NetworkMode: 'none', Runtime, CapAdd: ['SYS_PTRACE'] } });
    for (const config of [{}, { user: 'guest' }, { user: '4242:4243' }, { privileged: true }, { privileged: true, user: 'guest' }]) {
      assert.equal((await subject.exec(container.id, shell(caps), config)).stdout, none, JSON.stringify(config));
    }
    // A user other than root holds nothing at all.
    const held = 'grep -E "^Cap(Prm|Eff)" /proc/self/status | cut -f2 | sort -u';
    assert.equal((await subject.exec(container.id, shell(held), { user: 'guest' })).stdout, none);
  });

  test(`--cap-drop ALL (${Runtime}) leaves no capability, not even in the bounding set`, async () => {
    const { stdout } = await subject.run('grep ^Cap /proc/self/status | cut -f2 | sort -u', {
      hostConfig: { NetworkMode: 'none', Runtime, CapDrop: ['ALL'] },
    });
    assert.equal(stdout, `${'0'.repeat(16)}\n`);
  });

  test(`masked paths are empty and read-only paths cannot be written (${Runtime})`, async () => {
    const script = `
      for path in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do [ -d $path ] && ls -A $path; done
      for path in /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/timer_list /proc/timer_stats; do
        [ -e $path ] && head -c 1 $path | wc -c | grep -v "^0$"
      done
      for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity /proc/sys/kernel/core_pattern; do
        [ -e $path ] && echo x 2>/dev/null >$path && echo "wrote $path"
      done
      umount /proc/kcore /proc/sys /sys/firmware 2>/dev/null && echo unmounted
      echo end`;
    const { stdout } = await subject.run(script, { hostConfig: { NetworkMode: 'none', Runtime } });
    assert.equal(stdout, 'end\n');
  });

  test(`/dev/shm has 64 MiB without set-uid programs, devices and programs (${Runtime})`, async () => {
    const { stdout } = await subject.run('grep " /dev/shm " /proc/mounts', { hostConfig: { NetworkMode: 'none', Runtime } });
    const [, , type, options = ''] = stdout.split(' ');
    assert.equal(type, 'tmpfs');
    for (const option of ['nosuid', 'nodev', 'noexec', 'size=65536k'])
      assert.ok(options.split(',').includes(option), `${option}: ${options}`);
  });

  test(`no-new-privileges (${Runtime}) holds for init and execs, and is off unless asked for`, async () => {
    const probe = 'grep ^NoNewPrivs /proc/self/status | cut -f2';
    assert.equal((await subject.run(probe)).stdout, '0\n');
    await using container = await subject.sleeping({ hostConfig: { NetworkMode: 'none', Runtime, SecurityOpt: ['no-new-privileges'] } });
    assert.equal((await subject.exec(container.id, shell(probe))).stdout, '1\n');
    assert.equal((await subject.exec(container.id, shell('grep ^NoNewPrivs /proc/1/status | cut -f2'))).stdout, '1\n');
  });

  test(`a read-only root (${Runtime}) cannot be written or mounted anew, its tmpfs and volumes can`, async () => {
    const script =
      'for f in /x /etc/x /bin/x; do touch $f 2>/dev/null && echo "wrote $f"; done; mount -o remount,rw / 2>/dev/null && echo remounted; touch /t/x /v/x /dev/shm/x && echo ok';
    const hostConfig = {
      NetworkMode: 'none',
      Runtime,
      ReadonlyRootfs: true,
      Tmpfs: { '/t': '' },
      Mounts: [{ Type: 'volume' as const, Target: '/v' }],
    };
    assert.equal((await subject.run(script, { hostConfig })).stdout, 'ok\n');
  });
}

for (const { what, wishes, groups } of [
  { what: 'root', wishes: {}, groups: '0' },
  { what: 'a user with groups of its own', wishes: { config: { Image: 'members', User: 'guest' } }, groups: '100 7 8' },
  { what: 'a user and a group: that group alone', wishes: { config: { Image: 'members', User: 'guest:daemon' } }, groups: '1' },
  { what: 'a user by number', wishes: { config: { Image: 'members', User: '1000' } }, groups: '100 7 8' },
  { what: 'an unknown number', wishes: { config: { Image: 'members', User: '4242' } }, groups: '0' },
  { what: 'numbers of user and group', wishes: { config: { Image: 'members', User: '4242:4343' } }, groups: '4343' },
  {
    what: 'a user with added groups',
    wishes: { config: { Image: 'members', User: 'guest' }, hostConfig: { NetworkMode: 'none', GroupAdd: ['daemon', '99'] } },
    groups: '100 1 7 8 99',
  },
]) {
  test(`SEC-46 groups of ${what} are exactly ${groups}, in run and in exec, the primary one among the supplementary ones`, async () => {
    await subject.image('members', [
      entry('etc/group', 'root:x:0:\ndaemon:x:1:\nusers:x:100:\na:x:7:guest\nb:x:8:other,guest\nc:x:9:other\n'),
    ]);
    const config: ContainerConfig = { Image: 'busybox', ...wishes.config };
    const expected = groups.split(' ').toSorted();
    const probe = 'id -G; grep ^Groups /proc/self/status | cut -f2';
    const seen = ({ stdout }: Ended) =>
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(' ').toSorted());
    assert.deepEqual(seen(await subject.run(probe, { ...wishes, config })), [expected, expected]);
    await using container = await subject.sleeping({ ...wishes, config: { ...config, User: '' } });
    assert.deepEqual(seen(await subject.exec(container.id, shell(probe), { user: config.User ?? '' })), [expected, expected]);
  });
}

for (const [what, entries] of Object.entries({
  '/dev as a symlink': [header({ name: 'dev', type: '2', link: '/elsewhere' }), header({ name: 'elsewhere/', type: '5' })],
  '/proc as a symlink': [header({ name: 'proc', type: '2', link: '/elsewhere' }), header({ name: 'elsewhere/', type: '5' })],
  '/sys as a symlink': [header({ name: 'sys', type: '2', link: '/elsewhere' }), header({ name: 'elsewhere/', type: '5' })],
})) {
  for (const Runtime of runtimes) {
    test(`SEC-42 (${Runtime}) an image with ${what} is refused in one line`, async () => {
      await subject.image('linked', entries);
      await assert.rejects(subject.run('ls /elsewhere', { config: { Image: 'linked' }, hostConfig: { NetworkMode: 'none', Runtime } }), {
        code: 'invalid_argument',
        message: /^\/(dev|proc|sys) in the image must be an ordinary directory$/,
      });
    });
  }
}

for (const Runtime of runtimes) {
  test(`SEC-42 (${Runtime}) symlinks in place of /dev/null, /dev/pts, /dev/shm and /dev/console lead nowhere`, async () => {
    const link = (name: string, to: string) => header({ name, type: '2', link: to });
    const names = ['dev/null', 'dev/pts', 'dev/shm', 'dev/console', 'dev/mqueue'];
    await subject.image('devlinks', [header({ name: 'canary/', type: '5' }), ...names.map((name) => link(name, '/canary'))]);
    const { stdout, exitCode } = await subject.run(
      'ls -A /canary; [ -c /dev/null ] && [ -d /dev/pts ] && grep -c " /dev/shm tmpfs" /proc/mounts',
      {
        config: { Image: 'devlinks' },
        hostConfig: { NetworkMode: 'none', Runtime },
      },
    );
    assert.deepEqual([stdout, exitCode], ['1\n', 0]);
  });
}

for (const target of ['/proc', '/proc/', '//proc', '/proc/sys', '/x/../proc', '/sys', '/sys/kernel', '/', '/..', '/.']) {
  const ways: readonly HostConfig[] = [
    { Binds: [`/tmp:${target}`] },
    { Binds: [`volume:${target}`] },
    { Tmpfs: { [target]: '' } },
    { Mounts: [{ Type: 'bind', Source: '/tmp', Target: target }] },
    { Mounts: [{ Type: 'volume', Target: target }] },
    { Mounts: [{ Type: 'tmpfs', Target: target }] },
  ];
  test(`SEC-43 nothing is mounted at ${target}, and the image's VOLUME cannot ask for it`, async () => {
    for (const hostConfig of ways) {
      await assert.rejects(subject.create('true', { hostConfig }), { code: 'invalid_argument' }, JSON.stringify(hostConfig));
    }
    await assert.rejects(subject.create('true', { config: { Image: 'busybox', Cmd: ['true'], Volumes: { [target]: {} } } }), {
      code: 'invalid_argument',
    });
  });
}

for (const Runtime of runtimes) {
  for (const target of ['/proc', '/proc/sys', '/sys/kernel', '/sys']) {
    test(`SEC-43 (${Runtime}) a symlink of the image to ${target} is no way to mount there`, async () => {
      await subject.image('detour', [header({ name: 'data', type: '2', link: target })]);
      const hostConfig = { NetworkMode: 'none', Runtime, Binds: ['detour:/data'] };
      await assert.rejects(subject.run('true', { config: { Image: 'detour' }, hostConfig }), /\/data/);
    });
  }
}

for (const [what, hostConfig] of Object.entries<HostConfig>({
  'a cpuset beyond all CPUs': { CpusetCpus: '0-4294967295' },
  'a cpuset of 1 MiB': { CpusetCpus: '0,'.repeat(2 ** 19) },
  'memory nodes of 1 MiB': { CpusetMems: '0-1,'.repeat(2 ** 18) },
  'a sysctl of the host': { Sysctls: { 'kernel.core_pattern': '|/evil' } },
  'a sysctl whose value goes on in a second line': { Sysctls: { 'net.ipv4.ip_forward': '1\nkernel.core_pattern=|/evil' } },
  'a sysctl whose key has an equals sign': { Sysctls: { 'net.ipv4.ip_forward=1+kernel.core_pattern': '|/evil' } },
  'a sysctl that climbs': { Sysctls: { 'net/../kernel/core_pattern': '|/evil' } },
  'a sysctl that climbs with dots': { Sysctls: { 'net..kernel.core_pattern': '|/evil' } },
  'a control group that climbs': { CgroupParent: '../../evil' },
})) {
  test(`SEC-47 ${what} is refused within 100 ms`, async () => {
    const began = performance.now();
    await assert.rejects(subject.run('true', { hostConfig: { NetworkMode: 'none', ...hostConfig } }), { code: 'invalid_argument' });
    if (hostConfig.CgroupParent === undefined) assert.ok(performance.now() - began < 100, `${performance.now() - began} ms`);
  });
}

test('the machine survives: /dev/null stays a device that everybody may write', () => {
  assert.equal(statSync('/dev/null').mode & 0o777, 0o666);
});
