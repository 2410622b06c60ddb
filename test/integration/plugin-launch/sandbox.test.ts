import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { mount, mountFlags, readMountinfo, setPropagation, umount2, unmountFlags } from '@gantry/sdk/linux';
import { deniedUnless } from '@gantry/sdk/serve/denied-calls';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { pluginGroup, Stage } from './stage.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
leakGuard();

const none = '0'.repeat(16);
const status = 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/self/status | tr -s "\\t " " "';

test('launch() starts a plugin as its own user, without groups and capabilities, with no_new_privs and a filter', async () => {
  using stage = new Stage();
  assert.deepEqual(await stage.run(status), {
    exitCode: 0,
    oomKilled: false,
    output: [
      'Uid: 4321 4321 4321 4321',
      'Gid: 4321 4321 4321 4321',
      'Groups: ',
      `CapInh: ${none}`,
      `CapPrm: ${none}`,
      `CapEff: ${none}`,
      `CapBnd: ${none}`,
      `CapAmb: ${none}`,
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ],
  });
});

for (const [title, privileges, sets] of [
  ['its own user', { capabilities: ['CAP_NET_ADMIN'] }, ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']],
  ['root', { capabilities: ['CAP_NET_ADMIN'], user: 'root' }, ['Prm', 'Eff', 'Bnd']],
] as const) {
  test(`launch() gives ${title} exactly the granted capabilities`, async () => {
    using stage = new Stage();
    const { output } = await stage.run(`${status} | grep Cap`, { privileges });
    const given = output.filter((line) => !line.endsWith(none));
    assert.deepEqual(
      given,
      sets.map((set) => `Cap${set}: 0000000000001000`),
    );
  });
}

test('launch() with hostPid shows the processes of the machine, which it may not change, and ends all that it forked', async () => {
  using stage = new Stage();
  const mine = `[ -d /proc/${process.pid} ] && echo seen; cat /proc/self/stat | cut -d' ' -f1; echo x 2>/dev/null >/proc/sys/kernel/hostname || echo kept`;
  const { output } = await stage.run(`echo $$; ${mine}`, { privileges: { hostPid: true } });
  assert.deepEqual([output[1], output[3]], ['seen', 'kept']);
  assert.ok(Number(output[0]) > process.pid && Number(output[2]) >= Number(output[0]), output.join(' '));
  assert.deepEqual((await stage.run(`[ -d /proc/${process.pid} ] || echo hidden`)).output, ['hidden']);
  {
    await using plugin = await stage.launch('(setsid sleep 1000 &); echo forked; read -r _', { privileges: { hostPid: true } });
    await stage.line(/^forked$/);
    plugin.closeStdin();
    await plugin.exited;
  }
  assert.equal(existsSync(pluginGroup), false);
});

test('launch() hands on exactly the given environment, descriptors and arguments', async () => {
  using stage = new Stage();
  const perl =
    'print join("|", map { "$_=$ENV{$_}" } sort keys %ENV), " @ARGV"; opendir(D, "/proc/self/fd"); print " fds:", scalar(grep { /^\\d/ } readdir D)';
  const { output } = await stage.run('', { argv: ['/usr/bin/perl', '-e', perl, 'a b', 'é'], env: { ONE: '1', 'x.y': 'z\nz' } });
  // The fourth descriptor is the folder that it reads.
  assert.deepEqual(output, ['ONE=1|x.y=z', 'z a b é fds:4']);
});

test('launch() shows the code read-only, the data and run folders writable, and neither other plugins nor the engine', async () => {
  using stage = new Stage();
  using other = new Stage();
  writeFileSync(join(other.folder, 'data/secret'), 'secret', { mode: 0o644 });
  mkdirSync('/run/gantry');
  writeFileSync('/run/gantry/gantry.sock', '', { mode: 0o666 });
  const { output } = await stage.run(
    `echo x 2>&1 >${stage.folder}/code/x | grep -o "Read-only.*"
     echo x >${stage.folder}/data/x && echo x >${stage.folder}/run/x && echo x >/tmp/x && echo x >/dev/shm/x && echo x >/dev/null && echo written
     for path in /x /etc/x /usr/x /run/x /var/x ${stage.folder}/x; do echo x 2>/dev/null >$path && echo "wrote $path"; done
     cat ${other.folder}/data/secret 2>&1 | grep -o "No such.*"
     echo /*
     ls -A /run /root /home /sys /boot /var/lib /etc/shadow /run/gantry 2>/dev/null | tr "\\n" " "; echo
     ls /proc | grep -c "^[0-9]"`,
  );
  const roots = ['bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'libx32', 'proc', 'run', 'sbin', 'tmp', 'usr', 'var'].map(
    (name) => `/${name}`,
  );
  assert.deepEqual(output.slice(0, 3), ['Read-only file system', 'written', 'No such file or directory']);
  assert.deepEqual(
    output[3]?.split(' ').filter((path) => path !== '' && !roots.includes(path)),
    [],
  );
  // /run has the way to its own folders alone, and there are its first process, the shell, and ls with grep.
  assert.equal(output[4], `/run: tmp `);
  assert.ok(Number(output[5]) <= 5, output[5]);
});

test('launch() shows granted host paths and devices, and paths to read, files as well as folders', async () => {
  using stage = new Stage();
  using host = new Stage();
  writeFileSync(join(host.folder, 'code/lib.js'), 'text', { mode: 0o644 });
  const { output } = await stage.run(
    `cat ${host.folder}/code/lib.js; echo; echo x >${host.folder}/data/x && echo written; ls ${host.folder} | tr "\\n" " "; test -c /dev/kmsg && echo device; echo x 2>/dev/null >${host.folder}/code/lib.js || echo refused`,
    {
      readablePaths: [join(host.folder, 'code/lib.js'), '/bin/sh'],
      privileges: { hostPaths: [join(host.folder, 'data')], devices: ['/dev/kmsg'] },
    },
  );
  assert.deepEqual(output, ['text', 'written', 'code data device', 'refused']);
});

test('launch() shows what lies below /var/tmp, which is /tmp in there, and makes nothing on the machine', async () => {
  using stage = new Stage();
  const folder = mkdtempSync('/var/tmp/sandbox-');
  using after = new DisposableStack();
  after.defer(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'lib.js'), 'text', { mode: 0o644 });
  chmodSync(folder, 0o755);
  const { output } = await stage.run(`cat ${folder}/lib.js; echo; echo x >/var/tmp/x && cat /tmp/x`, { readablePaths: [folder] });
  assert.deepEqual(output, ['text', 'x']);
  assert.equal(existsSync(join('/tmp', basename(folder))), false);
});

test("launch() gives a plugin a network with nothing but a loopback that is up, and the machine's only when granted", async () => {
  using stage = new Stage();
  const script =
    'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort | tr "\\n" " "; readlink /proc/self/ns/net; cat /proc/net/fib_trie | grep -c 127.0.0.1';
  const alone = await stage.run(script);
  const host = await stage.run('readlink /proc/self/ns/net', { privileges: { network: 'host' } });
  assert.match(alone.output[0] ?? '', /^lo net:/);
  assert.notEqual(alone.output[1], '0');
  assert.deepEqual(host.output, [readlinkSync('/proc/self/ns/net')]);
});

test('launch() has each denied system call refused, unknown ones unknown, and namespaces unreachable', async () => {
  using stage = new Stage();
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const calls = deniedUnless
    .flatMap((group) => group.calls)
    .flatMap(({ name, [arch]: number }) => (number === undefined ? [] : [[name, number] as const]));
  const perl = 'for (@ARGV) { $! = 0; syscall($_, 0, 0, 0, 0, 0); print "$_ ", $!+0, "\\n" }';
  const { output, exitCode } = await stage.run('', {
    argv: ['/usr/bin/perl', '-e', perl, ...calls.map(([, number]) => String(number)), '435', '999'],
  });
  assert.equal(exitCode, 0);
  const allowed = output.slice(0, -2).filter((line) => !line.endsWith(' 1'));
  assert.deepEqual(allowed, []);
  assert.ok(
    ['mount', 'bpf', 'keyctl', 'ptrace', 'unshare', 'setns', 'io_uring_setup'].every((name) => calls.some(([known]) => known === name)),
  );
  assert.deepEqual(output.slice(-2), ['435 38', '999 38']);
});

test('a plugin that mounts by itself has its mounts seen by the machine, if its data folder is shared, and no others', async () => {
  using stage = new Stage();
  const data = join(stage.folder, 'data');
  chownSync(data, 0, 0);
  mkdirSync(join(data, 'm'));
  mount(data, data, { flags: mountFlags.bind });
  using mounted = new DisposableStack();
  mounted.defer(() => umount2(data, unmountFlags.detach));
  setPropagation(data, 'shared');
  const before = new Set(readMountinfo().map(({ mountId }) => mountId));
  const privileges = { driverMounted: true, capabilities: ['CAP_SYS_ADMIN'], user: 'root' } as const;
  await using _plugin = await stage.launch(
    `mount -n -t tmpfs none ${data}/m && echo x >${data}/m/file; mount -n -t tmpfs none /tmp; echo done; read -r _`,
    { privileges },
  );
  await stage.line(/^done/);
  const seen = readMountinfo().filter(({ mountId }) => !before.has(mountId));
  assert.deepEqual([seen.map(({ mountPoint }) => mountPoint), existsSync(join(data, 'm/file'))], [[join(data, 'm')], true]);
});

test('a plugin that runs as root cannot signal the engine, write to /proc/sys, or read what only root may', async () => {
  using stage = new Stage();
  const { output } = await stage.run(
    `kill -0 ${process.pid} 2>/dev/null && echo reached
     kill -KILL 1; kill -0 1 2>/dev/null || echo gone
     echo x 2>/dev/null >/proc/sys/kernel/core_pattern && echo wrote
     ls /proc/1/root 2>/dev/null; cat /proc/1/environ 2>/dev/null
     hostname; mount -t tmpfs none /tmp 2>&1 | grep -oiE "permission denied|must be superuser.*"`,
    { privileges: { user: 'root' } },
  );
  assert.equal(output[0], 'acme.test');
  assert.equal(output.length, 2, output.join('\n'));
});

test('launch() runs a Node plugin, which finds its program, its CPUs and its memory', async () => {
  using stage = new Stage();
  const code =
    'console.log(JSON.stringify([process.execPath, os.cpus().length > 0, process.memoryUsage().rss > 0, process.getuid(), Object.keys(process.env)]));';
  const { output, exitCode } = await stage.run('', {
    argv: [process.execPath, '-e', code],
    env: { A: '1' },
    readablePaths: [process.execPath],
    resources: { memoryBytes: 256 << 20, pids: 64 },
  });
  assert.deepEqual([exitCode, output], [0, [JSON.stringify([process.execPath, true, true, 4321, ['A']])]]);
});
