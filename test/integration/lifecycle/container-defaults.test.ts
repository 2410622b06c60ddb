import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { EngineOptions } from '../../../core/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

/** Every folder that is made is refused: nothing else tells that this profile is in force. */
const noFolders = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
});

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open({
    containerDefaults: {
      shmSizeBytes: 32 * 2 ** 20,
      ipcMode: 'shareable',
      cgroupParent: '/mine',
      ulimits: [
        { Name: 'nofile', Soft: 512, Hard: 600 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      noNewPrivileges: true,
      seccompProfile: noFolders,
    },
  });
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

const shm = "df -k /dev/shm | awk 'NR == 2 { print $2 }'";
const privileges = 'grep NoNewPrivs: /proc/self/status | cut -f2';
const folder = 'mkdir /made 2> /dev/null && echo made || echo refused';

for (const { what, script, hostConfig = {}, stdout } of [
  { what: 'the size of /dev/shm', script: shm, stdout: '32768' },
  { what: 'a size of /dev/shm of its own', script: shm, hostConfig: { ShmSize: 2 ** 20 }, stdout: '1024' },
  { what: 'limits of processes', script: 'ulimit -n; ulimit -Hn; ulimit -c', stdout: '512\n600\n0' },
  {
    what: 'a limit of its own beside the others',
    script: 'ulimit -n; ulimit -c',
    hostConfig: { Ulimits: [{ Name: 'nofile', Soft: 99, Hard: 99 }] },
    stdout: '99\n0',
  },
  { what: 'no new privileges', script: privileges, stdout: '1' },
  { what: 'new privileges if it says so', script: privileges, hostConfig: { SecurityOpt: ['no-new-privileges=false'] }, stdout: '0' },
  { what: 'the seccomp profile', script: folder, stdout: 'refused' },
  { what: 'the built-in profile if it says so', script: folder, hostConfig: { SecurityOpt: ['seccomp=builtin'] }, stdout: 'made' },
  { what: 'no profile if it says so', script: folder, hostConfig: { SecurityOpt: ['seccomp=unconfined'] }, stdout: 'made' },
  { what: 'no profile when it is privileged', script: folder, hostConfig: { Privileged: true }, stdout: 'made' },
]) {
  test(`EngineOptions.containerDefaults: a container gets ${what}`, async () => {
    const ended = await under.run(script, { hostConfig });
    assert.deepEqual([ended.stdout.trim(), ended.exitCode], [stdout, 0], ended.stderr);
  });
}

test('EngineOptions.containerDefaults hold in execs, and for the cgroup', async () => {
  await using container = await under.sleeping();
  const { stdout } = await under.exec(container.id, ['sh', '-c', `${privileges}; ${folder}; cat /proc/1/cgroup`]);
  assert.match(stdout, /^1\nrefused\n/);
  assert.ok(stdout.includes(`/mine/${container.id}`), stdout);
  assert.equal(container.inspect().hostConfig.IpcMode, 'shareable');
});

test('EngineOptions.containerDefaults.init puts a small init above the program, unless a container says no', async () => {
  await using other = await EngineUnderTest.open({ containerDefaults: { init: true, initPath: '/bin/busybox-that-is-not-there' } });
  await assert.rejects(other.run('true'), { code: 'unavailable', message: 'the init program /bin/busybox-that-is-not-there is not there' });
  assert.equal((await other.run('true', { hostConfig: { Init: false } })).exitCode, 0);
});

for (const [containerDefaults, message] of [
  [{ shmSizeBytes: -1 }, /default size of \/dev\/shm -1 is no size/],
  [{ cgroupParent: '../up' }, /default of containers: invalid cgroup parent "..\/up"/],
  [{ ulimits: [{ Name: 'nonsense', Soft: 1, Hard: 1 }] }, /default of containers: invalid ulimit type: nonsense/],
  [{ ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] }, /default of containers: ulimit soft limit must be less/],
  [{ seccompProfile: '{' }, /default of containers: Decoding seccomp profile failed: not JSON/],
  [{ seccompProfile: '{}' }, /default of containers: seccomp profile has no valid defaultAction/],
] as const satisfies readonly (readonly [EngineOptions['containerDefaults'], RegExp])[]) {
  test(`createEngine() refuses containerDefaults ${JSON.stringify(containerDefaults)}`, async () => {
    await assert.rejects(EngineUnderTest.open({ containerDefaults }), { code: 'invalid_argument', message });
  });
}
