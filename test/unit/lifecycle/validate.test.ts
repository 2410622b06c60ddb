import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import type { ContainerConfig, HostConfig, MountSpec } from '@gantry/sdk/engine';
import {
  checkConfig,
  checkContainerName,
  checkHostConfig,
  checkIdMaps,
  checkResources,
  parseSignal,
  wantedMounts,
  withoutUnsupported,
} from '../../../core/lifecycle/validate/index.ts';

const host = { cpus: [0, 1], memoryNodes: [0], hasCpuRealtime: false };
const volumeText = (name: string) =>
  `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
const mount = (spec: Record<string, unknown>) => ({ Mounts: [spec as unknown as MountSpec] });

type Row = readonly [string, ContainerConfig, HostConfig, string];
const bad: readonly Row[] = [
  ['env empty name', { Env: ['=x'] }, {}, 'invalid environment variable: =x'],
  ['env empty', { Env: [''] }, {}, 'invalid environment variable: '],
  ['env NUL', { Env: ['A=\0'] }, {}, 'environment variable "A=\\u0000" has a NUL byte'],
  ['hostname too long', { Hostname: 'h'.repeat(64) }, {}, `hostname "${'h'.repeat(64)}" is 64 bytes long; at most 63 are allowed`],
  ['workdir relative', { WorkingDir: 'rel' }, {}, "the working directory 'rel' is invalid, it needs to be an absolute path"],
  ...['-1', '4294967296', '2147483648', '0x0', '1e3', ' 0', '0:-1'].map(
    (user): Row => [
      `user ${user}`,
      { User: user },
      {},
      `invalid user: ${JSON.stringify(user)}: uids and gids must be in range 0-2147483647`,
    ],
  ),
  ['exposed bad port', { ExposedPorts: { '99999/tcp': {} } }, {}, "invalid port '99999': value out of range"],
  ['exposed bad proto', { ExposedPorts: { '80/foo': {} } }, {}, "invalid port '80/foo': invalid protocol: foo"],
  ['exposed range rev', { ExposedPorts: { '90-80': {} } }, {}, "invalid port '90-80': invalid syntax"],
  ['healthcheck 1ns', { Healthcheck: { Interval: 1 } }, {}, 'Interval in Healthcheck cannot be less than 1ms'],
  ['healthcheck neg', { Healthcheck: { Interval: -1 } }, {}, 'Interval in Healthcheck cannot be less than 1ms'],
  ['stopsignal bad', { StopSignal: 'SIGZZ' }, {}, 'invalid signal: SIGZZ'],
  ['mem 1', {}, { Memory: 1 }, 'Minimum memory limit allowed is 6MB'],
  ['mem -1', {}, { Memory: -1 }, 'Minimum memory limit allowed is 6MB'],
  ['memswap<mem', {}, { Memory: 2e7, MemorySwap: 1e7 }, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
  ['swappiness 101', {}, { MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
  ['cpushares -1', {}, { CpuShares: -1 }, 'invalid CPU shares (-1): value must be a positive integer'],
  ['cpus 1e9', {}, { NanoCpus: 1e18 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  ['cpuset bad', {}, { CpusetCpus: '0-' }, 'Invalid value 0- for cpuset cpus: invalid format: 0-'],
  ['cpuset 999', {}, { CpusetCpus: '999' }, 'Requested CPUs are not available - requested 999, available: 0-1'],
  ['cpuset endless', {}, { CpusetCpus: '0-4294967295' }, 'Requested CPUs are not available - requested 0-4294967295, available: 0-1'],
  ['pids -2', {}, { PidsLimit: -2 }, 'invalid PidsLimit -2: use -1 for no limit'],
  ['oomadj 2000', {}, { OomScoreAdj: 2000 }, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
  ['shmsize -1', {}, { ShmSize: -1 }, 'SHM size can not be less than 0'],
  [
    'restart bad',
    {},
    { RestartPolicy: { Name: 'zz' as 'no' } },
    "invalid restart policy: unknown policy 'zz'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [
    'restart neg count',
    {},
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } },
    'invalid restart policy: maximum retry count cannot be negative',
  ],
  [
    'restart always+rm',
    {},
    { RestartPolicy: { Name: 'always' }, AutoRemove: true },
    "can't create 'AutoRemove' container with restart policy",
  ],
  ['isolation bad', {}, { Isolation: 'hyperv' }, `invalid isolation: "hyperv": linux only supports 'default'`],
  ['real-time', {}, { CpuRealtimeRuntime: 1_000 }, 'Your kernel does not support CPU real-time scheduler'],
  ['ipc bad', {}, { IpcMode: 'zz' }, 'invalid IPC mode: zz'],
  ['pid bad', {}, { PidMode: 'zz' }, 'invalid PID mode: zz'],
  ['uts bad', {}, { UTSMode: 'zz' }, 'invalid UTS mode: zz'],
  ['userns bad', {}, { UsernsMode: 'zz' }, 'invalid user namespace mode: zz'],
  ['cgroupns bad', {}, { CgroupnsMode: 'zz' as 'host' }, 'invalid cgroup namespace mode: zz'],
  ['cap bad', {}, { CapAdd: ['NOPE'] }, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  ['secopt bad', {}, { SecurityOpt: ['zz'] }, 'invalid --security-opt 1: "zz"'],
  ['seccomp bad json', {}, { SecurityOpt: ['seccomp={'] }, 'Decoding seccomp profile failed: not JSON'],
  [
    'sysctl kernel.',
    {},
    { Sysctls: { 'kernel.panic': '1' } },
    "sysctl 'kernel.panic' is not allowed: only net.*, fs.mqueue.* and the kernel's IPC keys belong to a container",
  ],
  [
    'sysctl with a newline',
    {},
    { Sysctls: { 'net.ipv4.ip_forward': '1\nkernel.panic=1' } },
    'invalid sysctl "net.ipv4.ip_forward=1\\nkernel.panic=1"',
  ],
  [
    'ulimit soft>hard',
    {},
    { Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] },
    'ulimit soft limit must be less than or equal to hard limit: 2 > 1',
  ],
  ['ulimit bad', {}, { Ulimits: [{ Name: 'zz', Soft: 1, Hard: 1 }] }, 'invalid ulimit type: zz'],
  ['extrahosts bad', {}, { ExtraHosts: ['zz'] }, 'bad format for add-host: "zz"'],
  ['dns bad', {}, { Dns: ['zz'] }, 'ParseAddr("zz"): unable to parse IP'],
  [
    'bind relative dest',
    {},
    { Binds: ['/tmp:rel'] },
    `invalid volume specification: '/tmp:rel': invalid mount config for type "bind": invalid mount path: 'rel' mount path must be absolute`,
  ],
  [
    'bind dest /',
    {},
    { Binds: ['/tmp:/'] },
    `invalid volume specification: '/tmp:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
  ],
  ['bind 4 parts', {}, { Binds: ['/a:/b:ro:x'] }, "invalid volume specification: '/a:/b:ro:x'"],
  ['bind bad mode', {}, { Binds: ['/a:/b:zz'] }, 'invalid mode: zz'],
  ['bind rw,ro', {}, { Binds: ['/a:/b:rw,ro'] }, 'invalid mode: rw,ro'],
  ...(
    [
      [
        'idmap',
        'the container has the machine’s own users, so it has to say which owner is seen as which, as in idmap=uids=0-1000-1;gids=0-1000-1',
      ],
      ['idmap=uids', '"uids" is not uids=… or gids=…, once each'],
      ['idmap=users=0-1-1', '"users=0-1-1" is not uids=… or gids=…, once each'],
      ['idmap=uids=0-1-1;uids=0-1-1', '"uids=0-1-1" is not uids=… or gids=…, once each'],
      ['idmap=uids=0-1', '"0-1" is not DISK-SEEN-COUNT with ids below 4294967295'],
      ['idmap=uids=0-1-0', '"0-1-0" is not DISK-SEEN-COUNT with ids below 4294967295'],
      ['idmap=uids=-1-0-1', '"-1-0-1" is not DISK-SEEN-COUNT with ids below 4294967295'],
      ['idmap=uids=0-4294967295-1', '"0-4294967295-1" is not DISK-SEEN-COUNT with ids below 4294967295'],
      ['idmap=gids=1-2-10#5-100-1', 'two of its ranges overlap'],
      ['idmap=gids=1-2-10#50-3-1', 'two of its ranges overlap'],
    ] as const
  ).map(
    ([mode, reason]): Row => [
      mode,
      {},
      { Binds: [`/a:/b:${mode}`] },
      `invalid idmap ${JSON.stringify(mode.replace(/^idmap=?/, ''))}: ${reason}`,
    ],
  ),
  ['two idmaps', {}, { Binds: ['/a:/b:idmap=uids=0-1-1,idmap=gids=0-1-1'] }, 'invalid mode: idmap=uids=0-1-1,idmap=gids=0-1-1'],
  [
    'idmap of a tmpfs',
    {},
    mount({ Type: 'tmpfs', Target: '/x', IdMap: 'uids=0-1-1' }),
    'invalid mount config for type "tmpfs": field IdMap must not be specified',
  ],
  [
    'recursion both ways',
    {},
    mount({
      Type: 'bind',
      Source: '/a',
      Target: '/x',
      ReadOnly: true,
      BindOptions: { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true },
    }),
    'invalid mount config for type "bind": mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive',
  ],
  [
    'recursion of what is not taken along',
    {},
    mount({ Type: 'bind', Source: '/a', Target: '/x', ReadOnly: true, BindOptions: { NonRecursive: true, ReadOnlyForceRecursive: true } }),
    'invalid mount config for type "bind": mount options conflict: NonRecursive && ReadOnlyForceRecursive',
  ],
  [
    'recursively read-only, writable',
    {},
    mount({ Type: 'bind', Source: '/a', Target: '/x', BindOptions: { ReadOnlyForceRecursive: true } }),
    'invalid mount config for type "bind": field ReadOnlyForceRecursive needs ReadOnly',
  ],
  ['bind empty', {}, { Binds: [''] }, "invalid volume specification: ''"],
  ['bind dup dest', {}, { Binds: ['/a:/x', '/b:/x/'] }, 'Duplicate mount point: /x'],
  ['bind volname bad', {}, { Binds: ['a b:/x'] }, volumeText('a b')],
  ['bind volname ..', {}, { Binds: ['..:/x'] }, volumeText('..')],
  ['mount type bad', {}, mount({ Type: 'zz', Target: '/x' }), 'invalid mount config for type "zz": mount type unknown'],
  ['mount no target', {}, mount({ Type: 'volume' }), 'invalid mount config for type "volume": field Target must not be empty'],
  ['mount bind no src', {}, mount({ Type: 'bind', Target: '/x' }), 'invalid mount config for type "bind": field Source must not be empty'],
  [
    'mount tmpfs w/ src',
    {},
    mount({ Type: 'tmpfs', Source: 'x', Target: '/x' }),
    'invalid mount config for type "tmpfs": field Source must not be specified',
  ],
  [
    'mount tmpfs neg size',
    {},
    mount({ Type: 'tmpfs', Target: '/x', TmpfsOptions: { SizeBytes: -1 } }),
    'invalid mount config for type "tmpfs": invalid tmpfs size -1',
  ],
  [
    'mount subpath ..',
    {},
    mount({ Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: '../x' } }),
    'invalid mount config for type "volume": subpath must be a relative path within the volume',
  ],
  ['tmpfs bad opt', {}, { Tmpfs: { '/x': 'zz' } }, 'invalid tmpfs option "zz"'],
  [
    'mount over /proc',
    {},
    { Binds: ['/a:/proc/x'] },
    `invalid volume specification: '/a:/proc/x': invalid mount config for type "bind": invalid specification: destination can't be in /proc: '/proc/x'`,
  ],
  [
    'VOLUME /sys',
    { Volumes: { '/sys/kernel': {} } },
    {},
    `invalid volume specification: '/sys/kernel': invalid mount config for type "volume": invalid specification: destination can't be in /sys: '/sys/kernel'`,
  ],
];
for (const [name, config, hostConfig, message] of bad) {
  test(`create refuses: ${name}`, () => {
    assert.throws(
      () => {
        checkConfig(config);
        checkHostConfig(hostConfig, config, host);
        checkIdMaps(wantedMounts(config, hostConfig), { hasUserns: false });
      },
      (error) => {
        assert.deepEqual([codeOf(error), (error as Error).message], ['invalid_argument', message]);
        return true;
      },
    );
  });
}

const good: readonly (readonly [string, ContainerConfig, HostConfig])[] = [
  ['an environment variable without a value', { Env: ['A'] }, {}],
  ['a negative stop timeout', { StopTimeout: -5 }, {}],
  ['a user by name and group number', { User: 'daemon:0' }, {}],
  ['the largest uid', { User: '2147483647' }, {}],
  ['ports with none', { ExposedPorts: { '80': {}, '90-99/udp': {} } }, { NetworkMode: 'none' }],
  ['memory without a swap limit', {}, { Memory: 6 * 2 ** 20, MemorySwap: -1 }],
  ['a namespaced sysctl', {}, { Sysctls: { 'net.core.somaxconn': '1024', 'kernel.shmmax': '1' } }],
  ['a tmpfs with options', {}, { Tmpfs: { '/run': 'size=64m,mode=1777,noexec' } }],
  ['extra hosts', {}, { ExtraHosts: ['a:1.2.3.4', 'b=::1', 'c:host-gateway'] }],
];
for (const [name, config, hostConfig] of good) {
  test(`create takes: ${name}`, () => {
    checkConfig(config);
    checkHostConfig(hostConfig, config, host);
    checkIdMaps(wantedMounts(config, hostConfig), { hasUserns: false });
  });
}

test('wantedMounts() lets a bind replace the image volume at the same place, and cleans paths', () => {
  const mounts = wantedMounts({ Volumes: { '/data': {}, '/var//lib/x/': {} } }, { Binds: ['v:/data:ro', '/a/../b:/c:rslave'] });
  assert.deepEqual(
    mounts.map(({ type, source, destination, readOnly, propagation }) => [type, source, destination, readOnly, propagation]),
    [
      ['volume', 'v', '/data', true, ''],
      ['bind', '/b', '/c', false, 'rslave'],
      ['volume', '', '/var/lib/x', false, ''],
    ],
  );
});

for (const name of ['a', '-x', '_x', '.x', 'a/b', 'a b', 'ä', 'a\\b', '..', 'x\0y', 'a\nb', '/a/b']) {
  test(`checkContainerName() refuses ${JSON.stringify(name)}`, () => {
    assert.throws(() => checkContainerName(name), {
      message: `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    });
  });
}

test('parseSignal() knows names, numbers and real-time signals', () => {
  assert.deepEqual(['KILL', 'sigterm', '9', 'RTMIN+3', 'SIGRTMAX', 'CLD'].map(parseSignal), [9, 15, 9, 37, 64, 17]);
  for (const wrong of ['', 'ZZ', '0', '65', '-9', 'RTMIN+31', '1e1'])
    assert.throws(() => parseSignal(wrong), { message: `invalid signal: ${wrong}` });
});

const v1 = { cgroupVersion: 1, hasBlkioWeight: true } as const;
const v2 = { cgroupVersion: 2, hasBlkioWeight: true } as const;

test('withoutUnsupported() takes out what cgroup v2 lacks, and warns of what was asked for', () => {
  const asked = { Memory: 1 << 25, MemorySwappiness: 60, OomKillDisable: true };
  assert.deepEqual(withoutUnsupported(asked, v1), { resources: asked, warnings: [] });
  assert.deepEqual(withoutUnsupported(asked, v2), {
    resources: { Memory: 1 << 25, MemorySwappiness: null, OomKillDisable: null },
    warnings: [
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
      'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    ],
  });
  assert.deepEqual(withoutUnsupported({ MemorySwappiness: -1, OomKillDisable: false }, v2).warnings, []);
  assert.deepEqual(withoutUnsupported({ Memory: 5 }, v2), { resources: { Memory: 5 }, warnings: [] });
});

test('withoutUnsupported() takes out weights of disks where no scheduler knows them', () => {
  const BlkioWeightDevice = [{ Path: '/dev/sda', Weight: 500 }];
  const asked = { BlkioWeight: 5, BlkioWeightDevice, BlkioDeviceReadBps: [] };
  assert.deepEqual(withoutUnsupported(asked, v1).resources, asked);
  assert.deepEqual(withoutUnsupported(asked, { ...v1, hasBlkioWeight: false }), {
    resources: { BlkioWeight: 0, BlkioWeightDevice: [], BlkioDeviceReadBps: [] },
    warnings: [
      'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
      'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
    ],
  });
  assert.deepEqual(withoutUnsupported({ BlkioWeight: 0 }, { ...v1, hasBlkioWeight: false }).warnings, []);
});

test('checkResources() takes a real-time budget where the kernel has them, and not more than its period', () => {
  const able = { ...host, hasCpuRealtime: true };
  checkResources({ CpuRealtimePeriod: 1_000_000, CpuRealtimeRuntime: 950_000 }, able);
  assert.throws(() => checkResources({ CpuRealtimePeriod: 1_000, CpuRealtimeRuntime: 1_001 }, able), {
    code: 'invalid_argument',
    message: 'cpu real-time runtime cannot be higher than cpu real-time period',
  });
});
