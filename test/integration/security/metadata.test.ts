import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { openPath } from '@gantry/sdk/linux';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { body, entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** What an image says about itself: all of it is somebody else's wish. */
const secret = 'SECRET-of-the-engine-4711';
process.env['ENGINE_SECRET'] = secret;

let subject: EngineUnderTest;
/** A folder of the machine that an image tries to reach, by its real path. */
const canary = '/run/canary';
before(async () => {
  mkdirSync(canary);
  writeFileSync(join(canary, 'file'), 'untouched\n');
  subject = await EngineUnderTest.open();
  await subject.run('true');
});
after(async () => {
  await subject[Symbol.asyncDispose]();
  rmSync(canary, { recursive: true });
});
beforeEach(() => subject.warm());
leakGuard();

const runtimes = ['crun', 'runc'];
const none = { NetworkMode: 'none' };
const link = (name: string, to: string) => header({ name, type: '2', link: to, mode: 0o777 });
const folder = (name: string) => header({ name: `${name}/`, type: '5', mode: 0o755 });

function assertCanary(): void {
  assert.deepEqual(readdirSync(canary), ['file']);
  assert.equal(readFileSync(join(canary, 'file'), 'utf8'), 'untouched\n');
}

/** Ours, and the runtime's own copy. */
function bundlesOf(id: string): readonly string[] {
  const found = execFileSync('find', [subject.folder, '-name', 'config.json', '-path', `*${id}*`], { encoding: 'utf8' })
    .trim()
    .split('\n');
  assert.notEqual(found[0], '');
  return found.map((path) => readFileSync(path, 'utf8'));
}

test('SEC-24 labels and annotations of an image or a user never reach the runtime, and reserved ones not the container', async () => {
  const orders = {
    'io.gantry.plugin': 'evil',
    'org.opencontainers.runc.hook': '/evil',
    'run.oci.hooks.stdout': '/evil',
    'run.oci.handler': 'wasm',
    'com.docker.plugin.x': 'evil',
    'module.wasm.image/variant': 'compat',
  };
  await subject.image('orders', [], { Labels: { ...orders, mine: 'kept' } });
  await using container = await subject.sleeping({
    config: { Image: 'orders' },
    hostConfig: { ...none, Annotations: { 'run.oci.handler': 'wasm' } },
  });
  assert.deepEqual(container.inspect().config.Labels, { mine: 'kept', 'module.wasm.image/variant': 'compat' });
  for (const bundle of bundlesOf(container.id)) {
    const { annotations = {} } = JSON.parse(bundle) as { readonly annotations?: Readonly<Record<string, string>> };
    // The engine's own: a filter that was compiled before.
    const { 'run.oci.seccomp_bpf_data': _, ...others } = annotations;
    assert.deepEqual(others, {});
    assert.doesNotMatch(bundle, /evil|wasm|kept/);
  }
});

const ghost = '4294967296:x:0:0::/:\n-1:x:0:0::/:\n0x0:x:0:0::/:\n1e3:x:0:0::/:\n+0:x:0:0::/:\nroot:x:0:0::/:\n';
for (const User of [
  '2147483648',
  '4294967296',
  '4294967295',
  '-1',
  '0x0',
  '1e3',
  ' 0',
  '+0',
  '0 ',
  '0:4294967296',
  '0:-1',
  '99999999999999999999',
  '0:0:0',
  'root\n',
]) {
  test(`SEC-25 the user ${JSON.stringify(User)} is refused and never looked up as a name`, async () => {
    await subject.image('ghost', [entry('etc/passwd', ghost), entry('etc/group', '-1:x:0:\n')], { User });
    await assert.rejects(subject.run('id', { config: { Image: 'ghost' } }), { code: 'invalid_argument' });
    await assert.rejects(subject.run('id', { config: { Image: 'busybox', User } }), { code: 'invalid_argument' });
    await using container = await subject.sleeping();
    await assert.rejects(subject.exec(container.id, ['id'], { user: User }), { code: 'invalid_argument' });
  });
}

test('SEC-49 a name in the image that maps to a number too large is refused', async () => {
  await subject.image('large', [entry('etc/passwd', 'big:x:4294967296:0::/:\n')]);
  await assert.rejects(subject.run('id', { config: { Image: 'large', User: 'big' } }), { code: 'invalid_argument', message: /4294967296/ });
});

const hugeBytes = 4 * 2 ** 20;
for (const [what, entries] of Object.entries({
  'a fifo': [header({ name: 'etc/passwd', type: '6' }), header({ name: 'etc/group', type: '6' })],
  'a folder': [folder('etc/passwd'), folder('etc/group')],
  'a device': [header({ name: 'etc/passwd', type: '3', device: [1, 5] }), header({ name: 'etc/group', type: '3', device: [1, 5] })],
  'a symlink to the machine': [link('etc/passwd', '/../../../../../../../../proc/1/environ'), link('etc/group', `${canary}/file`)],
  'a symlink to itself': [link('etc/passwd', 'passwd'), link('etc/group', 'group')],
  huge: [
    header({ name: 'etc/passwd', size: hugeBytes }),
    body(Buffer.alloc(hugeBytes, 'x')),
    entry('etc/group', 'x:x:1:\n'.repeat(300_000)),
  ],
})) {
  test(`SEC-26 /etc/passwd that is ${what} is answered within 2 s, and a user by number runs or is refused in one line`, async () => {
    await subject.image('strange', [header({ name: 'etc/passwd', type: '0' }), ...entries]);
    for (const User of ['', '1000', 'guest', '1000:staff']) {
      const began = performance.now();
      await Promise.all([
        subject.run('id -u', { config: { Image: 'strange', User } }).then(
          ({ stdout }) => assert.equal(stdout, User === '' ? '0\n' : '1000\n'),
          (error: unknown) => assertRefusal(error, /passwd|group|find user/),
        ),
        subject.created('true', { config: { Image: 'strange', User } }).then(async (container) => {
          await using _gone = container;
          await subject.get(container.id, '/etc/passwd');
        }),
      ]);
      assert.ok(performance.now() - began < 2_000, `${User}: ${performance.now() - began} ms`);
    }
    assertCanary();
  });
}

test('SEC-26 /etc/passwd that becomes a fifo while the container runs does not hold up execs', async () => {
  await using container = await subject.sleeping();
  await subject.exec(container.id, ['sh', '-c', 'rm /etc/passwd /etc/group; mkfifo /etc/passwd /etc/group']);
  const began = performance.now();
  await assert.rejects(subject.exec(container.id, ['true'], { user: 'guest' }), { code: 'invalid_argument' });
  assert.ok(performance.now() - began < 2_000);
});

for (const [what, config] of Object.entries<ContainerConfig>({
  'a host name of two lines': { Hostname: 'a\nroot::0:0' },
  'a domain name of two lines': { Domainname: 'a\n127.0.0.1 evil' },
  'a host name with a carriage return': { Hostname: 'a\rb' },
  'a domain name with NUL': { Domainname: 'a\0b' },
  'a user of two lines': { User: 'root\nroot' },
  'a variable with NUL': { Env: ['A=b\0C=d'] },
  'a working directory with NUL': { WorkingDir: '/a\0/b' },
})) {
  test(`SEC-27 ${what} is refused`, async () => {
    await assert.rejects(subject.run('true', { config: { Image: 'busybox', Cmd: ['true'], ...config } }), { code: 'invalid_argument' });
  });
}

for (const [what, hostConfig] of Object.entries<HostConfig>({
  'an added host of two lines': { ExtraHosts: ['a\n1.2.3.4 evil:1.2.3.4'] },
  'a search domain of two lines': { DnsSearch: ['a\nnameserver 6.6.6.6'] },
  'a DNS option of two lines': { DnsOptions: ['a\nnameserver 6.6.6.6'] },
})) {
  test(`SEC-27 ${what} is refused`, async () => {
    await assert.rejects(subject.run('true', { hostConfig: { ...none, ...hostConfig } }), { code: 'invalid_argument' });
  });
}

test('SEC-27 a line end in the value of a variable makes no second variable', async () => {
  const { stdout } = await subject.run('env | grep -c ^INJECTED; echo "$A"', {
    config: { Image: 'busybox', Env: ['A=x\nINJECTED=1', 'B=2'] },
  });
  assert.equal(stdout, '1\nx\nINJECTED=1\n', 'the shell shows the one variable in two lines');
});

const ownFiles = ['hosts', 'hostname', 'resolv.conf', 'mtab', 'passwd', 'group'];
for (const Runtime of runtimes) {
  for (const [what, entries] of Object.entries({
    'symlinks to the machine': ownFiles.map((name) => link(`etc/${name}`, `${canary}/file`)),
    'symlinks that climb to the machine': ownFiles.map((name) => link(`etc/${name}`, `../../../../../../../..${canary}/made`)),
    folders: ownFiles.filter((name) => !['passwd', 'group'].includes(name)).map((name) => folder(`etc/${name}`)),
    'a symlink in place of /etc': [folder('run'), folder('run/canary'), link('etc', canary)],
  })) {
    test(`SEC-27 (${Runtime}) files of the engine where the image has ${what} are in the container only`, async () => {
      // A folder with files is not replaced: /etc of busybox must go first.
      await subject.image(
        'own-files',
        what.endsWith('/etc') ? [entry('.wh.etc', ''), ...entries] : [...ownFiles.map((name) => entry(`etc/.wh.${name}`, '')), ...entries],
      );
      const { stdout } = await subject.run('cat /etc/hostname; grep -c localhost /etc/hosts', {
        config: { Image: 'own-files', Hostname: 'inside' },
        hostConfig: { ...none, Runtime },
      });
      assert.match(stdout, /^inside\n[1-9]/);
      assertCanary();
    });
  }
}

test('SEC-27 files of the engine are in the container only after symlinks were put in their place between two starts', async () => {
  await using container = await subject.created('cat /etc/hostname', {
    config: { Image: 'busybox', Cmd: ['cat', '/etc/hostname'], Hostname: 'inside' },
  });
  const tar = Buffer.concat([...['hosts', 'hostname', 'resolv.conf'].map((name) => link(name, `${canary}/file`)), Buffer.alloc(1024)]);
  await subject.put(container.id, '/etc', tar);
  const { result } = subject.engine.containers.wait(container.id, 'next-exit');
  await subject.engine.containers.start(container.id).catch((error: unknown) => assertRefusal(error, /./));
  await result;
  assertCanary();
});

const descriptors = Array.from({ length: 18 }, (_, index) => index + 3);
/** Folders that make a check of the image's files pass where later the kernel's are. */
const decoys = [folder('proc/self'), folder('proc/self/fd'), ...descriptors.map((fd) => folder(`proc/self/fd/${fd}`))];
const workingDirectories = [
  { what: 'that is a descriptor', paths: descriptors.map((fd) => `/proc/self/fd/${fd}`), entries: [entry('x')] },
  { what: 'by way of /proc', paths: ['/proc/1/cwd', '/proc/self/root', '/x/../proc/self/fd/7', '//proc/self/fd/7'], entries: [entry('x')] },
  { what: 'behind a symlink to the machine', paths: ['/a', '/a/new'], entries: [link('a', canary)] },
  { what: 'behind a symlink that climbs', paths: ['/a', '/a/new'], entries: [link('a', `${'../'.repeat(12)}run/canary`)] },
  { what: 'behind a symlink to a descriptor', paths: ['/a', '/a/..'], entries: [link('a', '/proc/self/fd/7')] },
  { what: 'behind a symlink to a descriptor, with decoys', paths: ['/a', '/a/..'], entries: [link('a', '/proc/self/fd/7'), ...decoys] },
  { what: 'among descriptors, with decoys', paths: descriptors.map((fd) => `/a/${fd}`), entries: [link('a', '/proc/self/fd'), ...decoys] },
];
for (const Runtime of runtimes) {
  for (const { what, paths, entries } of workingDirectories) {
    test(`SEC-28 (${Runtime}) a working directory ${what} is inside the container, or refused`, async () => {
      await subject.image('traps', entries);
      for (const WorkingDir of paths) {
        try {
          await using container = await subject.sleeping({ config: { Image: 'traps', WorkingDir }, hostConfig: { ...none, Runtime } });
          assertInside(container.inspect().state.pid);
        } catch (error) {
          assertRefusal(error, /working directory|cwd|chdir|mkdir/i);
        }
        assertCanary();
      }
    });
  }

  test(`SEC-28 (${Runtime}) the working directory of an exec is inside the container, or refused`, async () => {
    await subject.image('traps', [link('a', '/proc/self/fd')]);
    await using container = await subject.sleeping({ config: { Image: 'traps' }, hostConfig: { ...none, Runtime } });
    for (const workingDir of [...descriptors.flatMap((fd) => [`/proc/self/fd/${fd}`, `/a/${fd}`]), '/proc/1/cwd', '/proc/self/cwd']) {
      // What a process that has left the root sees as its own folder begins with "(unreachable)"; there the machine's files are.
      const { stdout } = await subject
        .exec(container.id, ['sh', '-c', `readlink /proc/self/cwd; ls ${'../'.repeat(12)}run`], { workingDir })
        .catch((error: unknown) => {
          assertRefusal(error, /working directory|cwd|chdir|No such file|not a directory/i);
          return { stdout: '' };
        });
      assert.doesNotMatch(stdout, /unreachable|canary/, workingDir);
    }
  });
}

/** The process's folder lies on a mount that its own mount namespace has. */
function assertInside(pid: number): void {
  const opened = openSync(`/proc/${pid}/cwd`, openPath);
  try {
    const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${opened}`, 'utf8'))?.[1];
    const own = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      .split('\n')
      .map((line) => line.split(' ', 1)[0]);
    assert.ok(own.includes(mount), `outside: ${readlinkSync(`/proc/${pid}/cwd`)}`);
  } finally {
    closeSync(opened);
  }
}

function assertRefusal(error: unknown, words: RegExp): void {
  if (error instanceof assert.AssertionError) throw error;
  assert.ok(error instanceof Error);
  assert.match(error.message, words);
  assert.ok(!error.message.includes('\n'), error.message);
}

test('SEC-48 a variable of the engine is in no container, exec, health check, bundle, or file of the engine', async () => {
  const Healthcheck = { Test: ['CMD-SHELL', 'env'], Interval: 20e6, Retries: 1 };
  await using container = await subject.sleeping({ config: { Image: 'busybox', Healthcheck } });
  assert.doesNotMatch((await subject.run('env; cat /proc/1/environ')).stdout, /SECRET/);
  assert.doesNotMatch((await subject.exec(container.id, ['env'])).stdout, /SECRET/);
  const pid = container.inspect().state.pid;
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  for (const one of [pid, parent]) assert.doesNotMatch(readFileSync(`/proc/${one}/environ`, 'latin1'), /SECRET/);
  assert.equal(spawnSync('grep', ['--recursive', '--files-with-matches', secret, subject.folder], { encoding: 'utf8' }).stdout, '');
  await waitFor(() => (container.inspect().state.health?.log.length ?? 0) > 0);
  assert.doesNotMatch(JSON.stringify(container.inspect().state.health), /SECRET/);
});

async function waitFor(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, 'waited for 5 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
