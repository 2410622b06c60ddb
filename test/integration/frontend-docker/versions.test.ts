import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DockerApi, dockerApi } from '../../support/clients/docker-api.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
let api: DockerApi & AsyncDisposable;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
  api = await dockerApi(under.engine);
});
after(async () => {
  await api[Symbol.asyncDispose]();
  await under[Symbol.asyncDispose]();
});

interface Inspected {
  readonly Config: { readonly Healthcheck?: { readonly StartInterval?: number } };
  readonly HostConfig: {
    readonly AutoRemove: boolean;
    readonly IpcMode: string;
    readonly CgroupnsMode: string;
    readonly Annotations?: object;
    readonly Mounts?: readonly {
      readonly BindOptions?: { readonly ReadOnlyNonRecursive?: boolean };
      readonly VolumeOptions?: { readonly Subpath?: string };
    }[];
  };
}

const ownCgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'private' : 'host';
const bind = { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true }] };
const volume = { Mounts: [{ Type: 'volume', Source: 'vol', Target: '/m', VolumeOptions: { Subpath: 'sub' } }] };

for (const { field, hostConfig = {}, config = {}, of, before: earlier, since, later } of [
  {
    field: 'AutoRemove',
    hostConfig: { AutoRemove: true },
    of: ({ HostConfig }: Inspected) => HostConfig.AutoRemove,
    before: false,
    since: 25,
    later: true,
  },
  { field: 'IpcMode', of: ({ HostConfig }: Inspected) => HostConfig.IpcMode, before: 'shareable', since: 40, later: 'private' },
  { field: 'CgroupnsMode', of: ({ HostConfig }: Inspected) => HostConfig.CgroupnsMode, before: 'host', since: 41, later: ownCgroups },
  {
    field: 'Annotations',
    hostConfig: { Annotations: { a: 'b' } },
    of: ({ HostConfig }: Inspected) => HostConfig.Annotations,
    before: undefined,
    since: 43,
    later: { a: 'b' },
  },
  {
    field: 'StartInterval',
    config: { Healthcheck: { Test: ['CMD', 'true'], StartInterval: 2e9 } },
    of: ({ Config }: Inspected) => Config.Healthcheck?.StartInterval,
    before: undefined,
    since: 44,
    later: 2e9,
  },
  {
    field: 'ReadOnlyNonRecursive',
    hostConfig: bind,
    of: ({ HostConfig }: Inspected) => HostConfig.Mounts?.[0]?.BindOptions?.ReadOnlyNonRecursive,
    before: true,
    since: 44,
    later: undefined,
  },
  {
    field: 'Subpath',
    hostConfig: volume,
    of: ({ HostConfig }: Inspected) => HostConfig.Mounts?.[0]?.VolumeOptions?.Subpath,
    before: undefined,
    since: 45,
    later: 'sub',
  },
]) {
  test(`a container that is created before and since 1.${since} differs by ${field}`, async () => {
    for (const [version, wanted] of [
      [since - 1, earlier],
      [since, later],
      [51, later],
    ] as const) {
      const body = { Image: 'busybox', Cmd: ['true'], ...config, HostConfig: { NetworkMode: 'none', ...hostConfig } };
      const { Id } = await api.json<{ readonly Id: string }>(`POST /v1.${version}/containers/create`, { body });
      assert.deepEqual(of(await api.json<Inspected>(`GET /containers/${Id}/json`)), wanted, `1.${version}`);
      await api.request(`DELETE /containers/${Id}`);
    }
    await api.request('DELETE /volumes/vol');
  });
}

test('wait says nothing before the end until 1.29, and sends its head at once since 1.30', async () => {
  await using container = await under.created('sleep 600');
  await under.engine.containers.start(container.id);
  for (const [version, isEarly] of [
    [29, false],
    [30, true],
  ] as const) {
    const socket = await api.raw(`POST /v1.${version}/containers/${container.id}/wait HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`);
    let seen = '';
    socket.on('data', (data: Buffer) => (seen += data.toString()));
    const deadline = Date.now() + (isEarly ? 30_000 : 300);
    while (seen === '' && Date.now() < deadline) await sleep(20);
    assert.equal(seen.startsWith('HTTP/1.1 200'), isEarly, `1.${version}: ${seen}`);
    socket.destroy();
  }
  const ended = api.json(`POST /v1.29/containers/${container.id}/wait`);
  await under.engine.containers.kill(container.id, {});
  assert.deepEqual(await ended, { StatusCode: 137 });
});

test('info has the fields of its version', async () => {
  const fields = async (version: number) => {
    const info = await api.json<Readonly<Record<string, unknown>>>(`GET /v1.${version}/info`);
    return { options: info['SecurityOptions'], has: ['CDISpecDirs', 'FirewallBackend'].filter((name) => name in info) };
  };
  const [first, second] = [await fields(24), await fields(25)];
  assert.ok((first.options as string[]).includes('seccomp'));
  assert.ok((second.options as string[]).includes('name=seccomp,profile=builtin'));
  assert.deepEqual(await Promise.all([43, 44, 48, 49].map(async (version) => (await fields(version)).has.join())), [
    '',
    'CDISpecDirs',
    'CDISpecDirs',
    'CDISpecDirs,FirewallBackend',
  ]);
});

test('lists and sums of earlier versions', async () => {
  const names = async (version: number) => (await api.json<unknown[]>(`GET /v1.${version}/images/json?filter=nothing`)).length;
  assert.deepEqual([await names(40), (await names(41)) > 0], [0, true]);
  const hasBuilderSize = async (version: number) => 'BuilderSize' in (await api.json<object>(`GET /v1.${version}/system/df`));
  assert.deepEqual([await hasBuilderSize(41), await hasBuilderSize(42)], [true, false]);
});

test('an exec has the terminal size that it was created with since 1.42, unless its start says another', async () => {
  await using container = await under.sleeping();
  const sizeSeen = async (version: number, start: object) => {
    // crun sets it while the program begins already.
    const body = { AttachStdout: true, Tty: true, ConsoleSize: [33, 99], Cmd: ['sh', '-c', 'sleep 1; stty size'] };
    const { Id } = await api.json<{ readonly Id: string }>(`POST /v1.${version}/containers/${container.id}/exec`, { body });
    return (await api.request(`POST /v1.${version}/exec/${Id}/start`, { body: { Tty: true, ...start } })).text.trim();
  };
  assert.equal(await sizeSeen(42, {}), '33 99');
  assert.equal(await sizeSeen(42, { ConsoleSize: [20, 50] }), '20 50');
  assert.notEqual(await sizeSeen(41, {}), '33 99');
});

test('the platform of a query is heard, since the version that has it', async () => {
  const other = encodeURIComponent('{"os":"linux","architecture":"s390x"}');
  const own = encodeURIComponent(`{"os":"linux","architecture":"${process.arch === 'x64' ? 'amd64' : process.arch}"}`);
  for (const [path, since] of [
    ['busybox/json', 49],
    ['busybox/history', 48],
    ['busybox/get', 48],
  ] as const) {
    const status = async (version: number, platform: string) =>
      (await api.request(`GET /v1.${version}/images/${path}?platform=${platform}`)).status;
    assert.deepEqual([await status(since - 1, other), await status(since, other), await status(51, own)], [200, 404, 200], path);
  }
  for (const [platform, message] of [
    ['{', /failed to parse platform/],
    ['{"os":"linux"}', /both OS and Architecture must be provided/],
  ] as const) {
    const { status, text } = await api.request(`GET /images/busybox/json?platform=${encodeURIComponent(platform)}`);
    assert.equal(status, 400);
    assert.match(text, message);
  }
});
