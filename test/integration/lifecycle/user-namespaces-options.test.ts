import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
const idMaps = { uids: ranges, gids: ranges };

/** As in CapEff: what the engine has, and so all that anybody in a container can have. */
const everything = /CapBnd:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
const hasSysResource = (BigInt(`0x${everything}`) & (1n << 24n)) !== 0n;
const sysResource = hasSysResource ? false : 'this machine gives nobody CAP_SYS_RESOURCE';

interface Row {
  readonly what: string;
  readonly hostConfig?: HostConfig;
  readonly config?: ContainerConfig;
  readonly script: string;
  readonly needs?: string | false;
  /** Of stdout. */
  readonly expected: RegExp | string;
}

const rows: readonly Row[] = [
  {
    what: '--init',
    hostConfig: { Init: true },
    script: 'cat /proc/1/comm; id -u; stat -c %u /sbin/docker-init; touch /sbin/docker-init 2> /dev/null || echo read-only',
    expected: 'docker-init\n0\n65534\nread-only\n',
  },
  {
    what: '--device, which is nobody’s and has its mode of the machine, also at a path of its own',
    hostConfig: { Devices: [device('/dev/full'), device('/dev/full', '/dev/other'), device('/dev/full', '/other/full')] },
    script: 'stat -c "%F %u:%g:%a" /dev/full /dev/other /other/full; head -qc 2 /dev/other /other/full | wc -c; echo x > /dev/other',
    expected: `${'character special file 65534:65534:666\n'.repeat(3)}4\n`,
  },
  {
    what: '--cap-add ALL',
    hostConfig: { CapAdd: ['ALL'] },
    script: 'grep CapEff /proc/self/status; mknod /n c 1 3 2>/dev/null || echo no devices',
    expected: `CapEff:\t${everything}\nno devices\n`,
  },
  {
    what: '--cap-add SYS_ADMIN',
    hostConfig: { CapAdd: ['SYS_ADMIN'] },
    script: 'mkdir /m; mount -t tmpfs m /m && touch /m/x && echo mounted; mount -o remount,rw /proc/sys; echo 1 > /proc/sys/vm/drop_caches',
    expected: 'mounted\n',
  },
  { what: '--cap-add SYS_TIME', hostConfig: { CapAdd: ['SYS_TIME'] }, script: 'date -s @5 2>&1 > /dev/null', expected: /not permitted/ },
  {
    what: '--cap-drop ALL',
    hostConfig: { CapDrop: ['ALL'] },
    script: 'grep CapEff /proc/self/status; chown 5 /etc/group 2> /dev/null || echo refused',
    expected: 'CapEff:\t0000000000000000\nrefused\n',
  },
  {
    what: '--ipc host',
    hostConfig: { IpcMode: 'host' },
    script: 'echo x > /dev/shm/test-userns && stat -c %u /dev/shm /dev/shm/test-userns && rm /dev/shm/test-userns',
    expected: '65534\n0\n',
  },
  { what: '--ipc none', hostConfig: { IpcMode: 'none' }, script: 'mount | grep -c /dev/shm', expected: '0\n' },
  { what: '--uts host', hostConfig: { UTSMode: 'host', CapAdd: ['SYS_ADMIN'] }, script: 'hostname other 2>&1', expected: /not permitted/ },
  { what: '--cgroupns host', hostConfig: { CgroupnsMode: 'host' }, script: 'id -u', expected: '0\n' },
  { what: '--cgroupns private', hostConfig: { CgroupnsMode: 'private' }, script: 'id -u', expected: '0\n' },
  {
    what: '--oom-score-adj -500',
    hostConfig: { OomScoreAdj: -500 },
    needs: sysResource,
    script: 'cat /proc/self/oom_score_adj',
    expected: '-500\n',
  },
  {
    what: '--ulimit core=-1',
    hostConfig: { Ulimits: [{ Name: 'core', Soft: -1, Hard: -1 }] },
    script: 'ulimit -c',
    expected: 'unlimited\n',
  },
  {
    what: '--sysctl of IPC and of networks',
    hostConfig: { Sysctls: { 'kernel.msgmax': '9000', 'net.ipv4.ip_local_port_range': '40000 50000' } },
    script: 'cat /proc/sys/kernel/msgmax; cat /proc/sys/net/ipv4/ip_local_port_range',
    expected: '9000\n40000\t50000\n',
  },
  {
    what: '--security-opt seccomp=unconfined',
    hostConfig: { SecurityOpt: ['seccomp=unconfined'] },
    script: 'grep Seccomp: /proc/self/status',
    expected: 'Seccomp:\t0\n',
  },
  {
    what: '--security-opt systempaths=unconfined',
    hostConfig: { SecurityOpt: ['systempaths=unconfined'] },
    script: 'mount | grep -c " /proc/"; echo 1 2>/dev/null > /proc/sys/vm/drop_caches || echo refused',
    expected: /refused/,
  },
  {
    what: '--security-opt no-new-privileges',
    hostConfig: { SecurityOpt: ['no-new-privileges'] },
    script: 'grep NoNewPrivs /proc/self/status',
    expected: 'NoNewPrivs:\t1\n',
  },
  { what: '--group-add', hostConfig: { GroupAdd: ['7', '65535'] }, script: 'id -G', expected: /\b7 65535\b/ },
  {
    what: '--user at the end of the ids',
    config: { User: '65535:65535' },
    script: 'id -u; id -g; touch /tmp/x 2> /dev/null; echo',
    expected: '65535\n65535\n\n',
  },
  { what: '--memory and --pids-limit', hostConfig: { Memory: 32 << 20, PidsLimit: 50 }, script: 'id -u', expected: '0\n' },
  {
    what: '--read-only with --tmpfs',
    hostConfig: { ReadonlyRootfs: true, Tmpfs: { '/run': '' } },
    script: 'touch /run/x && echo x; touch /x 2> /dev/null || echo refused',
    expected: 'x\nrefused\n',
  },
  { what: '--stop-signal and a time zone', config: { Env: ['TZ=UTC'], StopSignal: 'SIGINT' }, script: 'date +%Z', expected: 'UTC\n' },
];

for (const runtime of ['runc', 'crun'])
  void describe(`with ${runtime}`, () => {
    let under: EngineUnderTest;
    before(async () => {
      under = await EngineUnderTest.open({ containerDefaults: { idMaps, initPath: initProgram() }, defaultRuntime: runtime });
      chmodSync(under.folder, 0o711);
      await under.warm();
      await under.run('true', { hostConfig: { NetworkMode: 'bridge' } });
    });
    after(() => under[Symbol.asyncDispose]());

    for (const { what, hostConfig = {}, config = {}, needs = false, script, expected } of rows)
      test(`${what} is as a container’s own user namespace has it`, { skip: needs }, async () => {
        await using _nothingLeft = noLeaks();
        const { stdout, stderr } = await under.run(script, { config, hostConfig: { NetworkMode: 'bridge', ...hostConfig } });
        if (typeof expected === 'string') assert.equal(stdout, expected, stderr);
        else assert.match(stdout, expected, stderr);
      });

    test('docker exec --privileged has every capability of the user namespace, and none of the machine’s', async () => {
      await using container = await under.sleeping();
      const { stdout } = await under.exec(container.id, ['sh', '-c', 'grep CapEff /proc/self/status; date -s @5 2>&1'], {
        privileged: true,
      });
      assert.match(stdout, new RegExp(`CapEff:\\t${everything}\\n[^]*not permitted`));
    });
    for (const [what, wishes] of [
      ['--user', { config: { User: '70000' } }],
      ['--user, a group', { config: { User: '5:70000' } }],
      ['--group-add', { hostConfig: { GroupAdd: ['70000'] } }],
    ] as const)
      test(`${what} that the user namespace does not have is refused, and named`, async () => {
        await using _nothingLeft = noLeaks();
        await using container = await under.created('true', wishes);
        await assert.rejects(under.engine.containers.start(container.id), {
          code: 'invalid_argument',
          message: /70000 is not in the user namespace/,
        });
      });
  });

function device(PathOnHost: string, PathInContainer = PathOnHost): NonNullable<HostConfig['Devices']>[number] {
  return { PathOnHost, PathInContainer, CgroupPermissions: 'rwm' };
}

/** One of the machine's, or a process 1 that does the least. */
function initProgram(): string {
  const installed = ['docker-init', 'tini', 'catatonit'].map((name) => `/usr/bin/${name}`).find((path) => existsSync(path));
  if (installed !== undefined) return installed;
  const folder = mkdtempSync(join(tmpdir(), 'init-'));
  chmodSync(folder, 0o711);
  const path = join(folder, 'init');
  writeFileSync(path, '#!/bin/sh\nshift\n"$@"\n', { mode: 0o755 });
  return path;
}
