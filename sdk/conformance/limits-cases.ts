import assert from 'node:assert/strict';
import { globSync, mkdtempDisposableSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { conflict } from '../errors.ts';
import { byteSize } from '../manifest.ts';
import type { DriverKind } from '../plugin.ts';
import { connectGrpc, encode } from '../rpc/index.ts';
import type { ConformancePlacement, OpenedPlugin, PluginWire } from './opened-plugin.ts';
import type { PluginProcess } from '../serve/plugin-process.ts';
import { isIdle } from './idle.ts';
import { casesOf, type PluginCase, type Runs, type WithProbe, withProbe } from './plugin-case.ts';
import { refOf } from './ref-states.ts';
import { undeclaredCalls, whyNotTraced } from './traced-calls.ts';

type Separate = WithProbe & { readonly process: PluginProcess; readonly wire: PluginWire };

const wired: Runs<WithProbe & { readonly wire: PluginWire }> = {
  'unknown-enum.tolerated': async (subject) => {
    const { wire, ctx, plugin } = subject;
    const known = encode('gantry.plugin.v1.Ref', refOf(subject, 'of-a-later-version'));
    // The kind, field 3, once more: a number that no version has yet.
    const later = Buffer.concat([known, Buffer.from([0x18, 0x63])]);
    const facts = { driver: '', operationId: 'conformance', signal: AbortSignal.timeout(5_000) };
    await Array.fromAsync(wire.wire.stream({ service: 'plugin', method: 'reconcile' }, only(later), facts)).catch((error: unknown) =>
      assert.ok(!facts.signal.aborted, `it never answered: ${String(error)}`),
    );
    await wire.service.ping({}, ctx());
    assert.ok(plugin.drivers[subject.kind]?.[subject.driver]);
  },
};

const separate: Runs<Separate> = {
  'limits.4MiB-refused': async ({ process, wire, ctx, kind, driver, probe }) => {
    const { endpoint } = JSON.parse(process.greeting.slice('GANTRY-PLUGIN 1 '.length)) as { readonly endpoint: string };
    const unlimited = await connectGrpc(endpoint, { maxSendBytes: 64 << 20 });
    try {
      const facts = { driver, operationId: 'conformance', signal: AbortSignal.timeout(5_000) };
      const method = firstMethods[kind] ?? 'create';
      await assert.rejects(unlimited.unary({ service: kind, method }, Buffer.alloc((4 << 20) + 1), facts));
      assert.ok(!facts.signal.aborted, 'it never answered');
    } finally {
      unlimited.close();
    }
    await wire.service.ping({}, ctx());
    await probe.make('after', ctx());
  },
  'logs.rate': async (subject) => {
    const { process } = subject;
    const began = process.printed.length;
    await cycles(subject, 50);
    const lines = process.printed.slice(began);
    assert.ok(lines.length < 1_000, `50 rounds printed ${lines.length} lines`);
    assert.ok(lines.join('\n').length < 1 << 20, '50 rounds printed more than a mebibyte');
  },
  'resources.under-limits': async (subject) => {
    const { plugin, process } = subject;
    const limit = byteSize(plugin.manifest.resources?.memory ?? '512MiB');
    await cycles(subject, 1_000);
    const used = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8'))?.[1]) * 1024;
    assert.ok(used < limit, `it uses ${used} bytes, and may use ${limit}`);
  },
  'sandbox.no-undeclared-net': async (subject) => {
    const { plugin, process } = subject;
    if (plugin.manifest.privileges?.network === 'host') return 'may use the network';
    await cycles(subject, 1);
    const own = new Set(openFiles(process.pid).flatMap((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1] ?? []));
    const tables = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'].map((name) => join('/proc', String(process.pid), 'net', name));
    const used = tables.flatMap((table) => linesOf(table).filter((line) => own.has(line.trim().split(/\s+/)[9] ?? '')));
    assert.deepEqual(used, [], 'it uses the network without privileges.network');
    return undefined;
  },
  'sandbox.no-undeclared-path': async (subject) => {
    const { plugin, process, dir } = subject;
    await cycles(subject, 1);
    const { hostPaths = [], devices = [] } = plugin.manifest.privileges ?? {};
    const own = [plugin.dataDir, join(plugin.dataDir, '../run'), dir, dirname(globalThis.process.execPath)];
    const system = ['/usr', '/lib', '/lib64', '/bin', '/opt', '/etc', '/proc', '/sys', '/dev/null', '/dev/urandom', '/dev/shm'];
    const allowed = [...own, ...system, ...hostPaths, ...devices, join(import.meta.dirname, '../..')];
    const outside = openFiles(process.pid).filter(
      (file) => file.startsWith('/') && !allowed.some((path) => file === path || file.startsWith(`${path}/`)),
    );
    assert.deepEqual(outside, [], 'it has files open that its privileges do not name');
  },
  'sandbox.no-undeclared-syscall': async (subject) => {
    const why = await whyNotTraced();
    if (why !== undefined) return why;
    using folder = mkdtempDisposableSync(join(tmpdir(), 'traced-'));
    const file = join(folder.path, 'calls');
    {
      await using traced = await subject.openIn('process', { trace: file });
      await cycles({ ...subject, probe: subject.probeOf(traced) ?? subject.probe }, 1);
    }
    const { privileges: { capabilities = [] } = {} } = subject.plugin.manifest;
    assert.deepEqual(undeclaredCalls(file, capabilities), [], 'it makes calls that the engine refuses a plugin with its capabilities');
    return undefined;
  },
};

const everywhere: Runs<WithProbe> = {
  'deadline.respected': async ({ plugin, probe, ctx }) => {
    const keys = Array.from({ length: 8 }, (_, index) => `late${index}`);
    const began = performance.now();
    await Promise.allSettled(keys.map((key) => probe.make(key, ctx(AbortSignal.timeout(1)))));
    assert.ok(performance.now() - began < 1_000, 'a call went on after its deadline');
    await isIdle(plugin, ctx);
    for (const key of keys) await probe.make(key, ctx());
  },
  'hostapi.cas-conflict': async ({ plugin, probe, probeAgain, ctx }) => {
    const { state } = plugin;
    if (state === undefined) return 'its state cannot be made to fail here';
    await probe.make('first', ctx());
    if ((await state.list('')).length === 0) return 'keeps no state';
    state.failure = conflict('state key is at revision 2, not 1');
    await probe.make('second', ctx()).catch(() => {});
    state.failure = undefined;
    const made = await probe.make('second', ctx());
    await plugin.restart();
    const again = probeAgain();
    assert.notEqual(await again?.has?.('second', ctx()), false, 'what it said it made is not there after a restart');
    assert.deepEqual(await again?.make('second', ctx()), made);
    for (const key of ['first', 'second']) await again?.undo(key, ctx());
    return undefined;
  },
  'placement.same-answers': async (subject) => {
    const { manifest } = subject.plugin;
    const wanted: readonly ConformancePlacement[] = manifest.entry.node === undefined ? ['process'] : (manifest.placement ?? ['process']);
    const others = wanted.filter((placement) => placement !== subject.placement);
    if (others.length === 0) return 'runs nowhere else';
    const here = await answersOf(subject, subject.plugin);
    for (const placement of others) {
      await using elsewhere = await subject.openIn(placement);
      assert.deepEqual(await answersOf(subject, elsewhere), here, `in placement ${placement} it answers something else`);
    }
    return undefined;
  },
};

/** What a plugin may use, and what it must bear. */
export const limitsCases: readonly PluginCase[] = [
  ...casesOf(wired, (subject) => {
    const probed = withProbe(subject);
    const { wire } = subject.plugin;
    if (typeof probed === 'string') return probed;
    return wire === undefined ? 'is called without a wire here' : { ...probed, wire };
  }),
  ...casesOf(separate, (subject) => {
    const probed = withProbe(subject);
    const { wire, process } = subject.plugin;
    if (typeof probed === 'string') return probed;
    return wire === undefined || process === undefined ? 'has no process of its own here' : { ...probed, wire, process };
  }),
  ...casesOf(everywhere, withProbe),
];

const firstMethods: { readonly [Kind in DriverKind]?: string } = {
  volume: 'create',
  graph: 'prepare',
  network: 'createNetwork',
  ipam: 'requestPool',
  log: 'validate',
};
const cycleBudgetMs = 5_000;

/** As many as there is time for. */
async function cycles({ probe, ctx }: WithProbe, most: number): Promise<void> {
  const until = performance.now() + cycleBudgetMs;
  for (let round = 0; round < most && performance.now() < until; round += 1) {
    await probe.make('cycle', ctx());
    await probe.use?.('cycle', ctx());
    await probe.release?.('cycle', ctx());
    await probe.undo('cycle', ctx());
  }
}

async function answersOf({ probeOf, ctx }: WithProbe, plugin: OpenedPlugin): Promise<unknown> {
  const probe = probeOf(plugin);
  const answers = [
    await probe?.make('same', ctx()),
    await probe?.use?.('same', ctx()),
    await probe?.release?.('same', ctx()),
    await probe?.has?.('same', ctx()),
    await probe?.undo('same', ctx()),
    await probe?.refused(ctx()).catch((error: unknown) => String(error)),
  ];
  // Two starts at two moments, in two folders.
  return JSON.parse(JSON.stringify(answers).replaceAll(plugin.dataDir, '<data>').replaceAll(isoTime, '<time>')) as unknown;
}

const isoTime = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g;

function openFiles(pid: number): readonly string[] {
  return globSync(`/proc/${pid}/fd/*`).flatMap((fd) => {
    try {
      return [readlinkSync(fd)];
    } catch {
      return [];
    }
  });
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(1);
  } catch {
    return [];
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
