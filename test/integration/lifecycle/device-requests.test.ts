import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { HostConfig } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = mkdtempSync(join(tmpdir(), 'cdi-'));
const cdiFolders = [join(folder, 'etc'), join(folder, 'run')];
const [etc = '', run = ''] = cdiFolders;
let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open({ containerDefaults: { cdiFolders } });
  await under.warm();
});
beforeEach(() => {
  for (const each of cdiFolders) {
    rmSync(each, { recursive: true, force: true });
    mkdirSync(each);
  }
});
after(async () => {
  await under[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const write = (path: string, content: unknown) => writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
const cdi = (...DeviceIDs: string[]): HostConfig => ({ DeviceRequests: [{ Driver: 'cdi', DeviceIDs }] });
const numbers = "stat -c '%t:%T %a' ";

/** As vendors' tools write it. */
const yaml = `---
cdiVersion: 0.6.0
kind: acme.com/fuse
containerEdits:
  env:
  - VENDOR=acme
  mounts:
  - hostPath: ${folder}/lib
    containerPath: /opt/acme
    options: [ro, nosuid, nodev, rbind]
devices:
- name: one
  containerEdits:
    env: ["WHICH=one", "PATH=/bin"]
    deviceNodes:
    - path: /dev/acme0
      hostPath: /dev/fuse
      permissions: r
      fileMode: 0600
    additionalGids: [4242]
- name: two
  containerEdits:
    env: ["WHICH=two"]
`;

test('a container gets what the description of a device says: node, rights, variables, mounts, groups', async () => {
  mkdirSync(join(folder, 'lib'), { recursive: true });
  write(join(folder, 'lib', 'file'), 'of acme');
  write(join(etc, 'acme.yaml'), yaml);
  const script = [
    `${numbers} /dev/acme0`,
    'echo $VENDOR $WHICH $PATH; cat /opt/acme/file; echo',
    'touch /opt/acme/x 2> /dev/null || echo read-only',
    'id -G; (: < /dev/acme0) && echo read; (: > /dev/acme0) 2> /dev/null || echo no write',
  ].join('\n');
  const { stdout, stderr } = await under.run(script, { hostConfig: cdi('acme.com/fuse=one') });
  assert.deepEqual(stdout.trim().split('\n'), ['a:e5 600', 'acme one /bin', 'of acme', 'read-only', '0 4242', 'read', 'no write'], stderr);
});

test('a hook of a description is run', async () => {
  const seen = join(folder, 'hook');
  const hook = { hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', `cat > ${seen}`] };
  write(join(etc, 'h.json'), { cdiVersion: '0.6.0', kind: 'acme.com/hook', devices: [{ name: 'x', containerEdits: { hooks: [hook] } }] });
  assert.equal((await under.run('true', { hostConfig: cdi('acme.com/hook=x') })).exitCode, 0);
  rmSync(seen);
});

test('a description in the later folder counts more, and two in one folder are told', async () => {
  const of = (value: string) => ({
    cdiVersion: '0.6.0',
    kind: 'acme.com/env',
    devices: [{ name: 'x', containerEdits: { env: [`FROM=${value}`] } }],
  });
  write(join(etc, 'a.json'), of('etc'));
  write(join(run, 'a.json'), of('run'));
  assert.equal((await under.run('echo $FROM', { hostConfig: cdi('acme.com/env=x') })).stdout.trim(), 'run');
  write(join(run, 'b.json'), of('twice'));
  await assert.rejects(under.create('true', { hostConfig: cdi('acme.com/env=x') }), {
    code: 'conflict',
    message: `${run}/b.json: device acme.com/env=x is in another file of the folder too`,
  });
  // Whoever asks for no device is not held up.
  assert.equal((await under.run('true')).exitCode, 0);
});

test('--gpus means the GPUs that are described', async () => {
  const gpu = (name: string) => ({ name, containerEdits: { env: [`GPU_${name.toUpperCase()}=1`] } });
  write(join(etc, 'nvidia.json'), { cdiVersion: '0.6.0', kind: 'nvidia.com/gpu', devices: ['all', '0', '1'].map(gpu) });
  const seen = async (request: object) => {
    const hostConfig = { DeviceRequests: [{ Capabilities: [['gpu']], ...request }] };
    return (await under.run('env | grep GPU_ | sort', { hostConfig })).stdout.trim().replaceAll('\n', ' ');
  };
  assert.equal(await seen({ Count: -1 }), 'GPU_ALL=1');
  assert.equal(await seen({ Count: 2, Driver: 'nvidia' }), 'GPU_0=1 GPU_1=1');
  assert.equal(await seen({ DeviceIDs: ['1'] }), 'GPU_1=1');
});

for (const [what, files, request, message] of [
  ['no description', {}, { Driver: 'cdi', DeviceIDs: ['acme.com/x=y'] }, /unresolvable CDI devices acme\.com\/x=y$/],
  ['no GPU', {}, { Count: -1, Capabilities: [['gpu']] }, /could not select device driver "" with capabilities: \[\[gpu\]\]/],
  ['another driver', {}, { Driver: 'tpu', Capabilities: [['tpu']] }, /could not select device driver "tpu" with capabilities: \[\[tpu\]\]/],
  ['no name', {}, { Driver: 'cdi' }, /names no device/],
  ['a broken file', { 'x.yaml': 'a: [' }, { Driver: 'cdi', DeviceIDs: ['a.b/c=d'] }, /x\.yaml is no CDI specification: /],
  ['a file without a version', { 'x.json': {} }, { Driver: 'cdi', DeviceIDs: ['a.b/c=d'] }, /it has no cdiVersion/],
  [
    'an unknown hook',
    {
      'x.json': {
        cdiVersion: '0.6.0',
        kind: 'a.b/c',
        devices: [{ name: 'd', containerEdits: { hooks: [{ hookName: 'never', path: '/x' }] } }],
      },
    },
    { Driver: 'cdi', DeviceIDs: ['a.b/c=d'] },
    /there are no hooks never/,
  ],
] as const) {
  test(`a request for a device with ${what} is refused, and nothing is left`, async () => {
    for (const [name, content] of Object.entries(files)) write(join(etc, name), content);
    const count = under.engine.containers.list({ all: true }).length;
    await assert.rejects(under.create('true', { hostConfig: { DeviceRequests: [request] } }), { code: 'invalid_argument', message });
    assert.equal(under.engine.containers.list({ all: true }).length, count);
  });
}

test('a device that was unplugged since is told at the start', async () => {
  write(join(etc, 'x.json'), {
    cdiVersion: '0.6.0',
    kind: 'a.b/c',
    devices: [{ name: 'd', containerEdits: { deviceNodes: [{ path: '/dev/that-is-not-there' }] } }],
  });
  await assert.rejects(under.run('true', { hostConfig: cdi('a.b/c=d') }), {
    code: 'not_found',
    message: 'CDI device injection failed: /dev/that-is-not-there is no device of this machine',
  });
});

test('a container with a user namespace of its own has the machine’s nodes, at the paths that the specification gives them', async () => {
  const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
  await using mapped = await EngineUnderTest.open({ containerDefaults: { cdiFolders, idMaps: { uids: ranges, gids: ranges } } });
  chmodSync(mapped.folder, 0o711);
  const deviceNodes = [{ path: '/dev/acme0', hostPath: '/dev/full', permissions: 'rw' }, { path: '/dev/zero' }];
  write(join(etc, 'acme.json'), {
    cdiVersion: '0.6.0',
    kind: 'acme.com/full',
    devices: [{ name: 'one', containerEdits: { deviceNodes } }],
  });
  const { stdout, stderr } = await mapped.run(`${numbers} /dev/acme0 /dev/zero; echo x > /dev/acme0`, {
    hostConfig: cdi('acme.com/full=one'),
  });
  assert.equal(stdout, '1:7 666\n1:5 666\n');
  assert.match(stderr, /No space left on device/);
});
