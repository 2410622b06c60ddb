import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GantryError, type Manifest, messageOf } from '@gantry/sdk';
import type { PluginState } from '@gantry/sdk/engine';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type PluginWishes, processesOf, Rig, soon } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { backOffMs: [20, 40], crashBudget: { count: 3, withinMs: 300_000 }, quarantineMs: [600_000] },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

interface Row {
  readonly wishes: PluginWishes;
  readonly state: PluginState;
  readonly message: RegExp;
  /** In what it printed. */
  readonly output?: RegExp;
}

const shell = (script: string, more: Partial<Manifest> = {}): PluginWishes => ({
  manifest: { entry: { exec: ['/bin/sh', '-c', script] }, startTimeout: '1500ms', ...more },
});
/** Tried again, until the budget is used up. */
const again = (wishes: PluginWishes, message: RegExp, output?: RegExp): Row => ({
  wishes,
  state: 'quarantined',
  message,
  ...(output === undefined ? {} : { output }),
});
const raw = (state: PluginState, message: RegExp, fault: NonNullable<PluginWishes['raw']>, manifest: Partial<Manifest> = {}): Row => ({
  wishes: { raw: fault, manifest },
  state,
  message,
});
const greeting = `echo 'GANTRY-PLUGIN 1 {"pid":1}'`;

const rows: Readonly<Record<string, Row>> = {
  'exits with 0 before it said anything': again(shell('exit 0'), /it ended before it was ready: it exited with code 0/),
  'exits with 1 before it said anything': again(
    shell('echo the disk is gone >&2; exit 1'),
    /it exited with code 1; it printed: the disk is gone/,
    /the disk is gone/,
  ),
  'is ended by a signal before it said anything': again(shell('kill -9 $$'), /it was ended by SIGKILL/),
  'says nothing': again(shell('exec sleep 7118'), /it was not ready within 1.5 s/),
  'closes its stdout and stays': again(shell('exec >&-; exec sleep 7118'), /it was not ready within 1.5 s/),
  'says something else first': again(shell('echo hello; exec sleep 7118'), /its first line on stdout is "hello", not "GANTRY-PLUGIN 1 /),
  'speaks a bootstrap of the future': again(
    shell(`echo 'GANTRY-PLUGIN 99 {}'; exec sleep 7118`),
    /its first line on stdout is "GANTRY-PLUGIN 99 \{\}"/,
  ),
  "speaks another engine's protocol": again(shell(`echo '1|5|unix|/tmp/x|grpc'; exec sleep 7118`), /first line on stdout is "1\|5\|unix/),
  'says bytes that are no text': again(shell(`printf '\\377\\000\\001\\n'; exec sleep 7118`), /its first line on stdout is /),
  'says ten megabytes without an end of line': again(
    shell('head -c 10000000 /dev/zero | tr "\\0" x; exec sleep 7118'),
    /it was not ready within 1.5 s/,
    /^x+… \(9\d+ bytes cut\)$/m,
  ),
  'says that it listens, and does not': again(shell(`${greeting}; exec sleep 7118`), /it was not ready within 1.5 s/),
  'is a program that is not there': again({ manifest: { entry: { exec: ['no-such-program'] } } }, /no-such-program/),
  'is a program that may not be run': again({ manifest: { entry: { exec: ['driver.json'] } } }, /driver\.json/),
  'is a module that cannot be loaded': again(
    { manifest: { entry: { node: 'throws.ts' } } },
    /it exited with code 1; .*no native part for this machine/,
    /no native part/,
  ),
  'leaves a process behind': again(shell('sleep 7119 & exit 3'), /it exited with code 3/),
  'cannot be activated': again({ settings: { fails: 'activate' } }, /the back end is not there/),
  'ends while it is configured': again({ settings: { fails: 'exit' } }, /it ended while it was configured: it exited with code 3/),

  'proves another token': raw('quarantined', /whoever answers does not know this start's token/, { handshake: { token: 'guessed' } }),
  'gives another name': raw('quarantined', /says that its name is "other", its manifest says "wrong-name"/, {
    handshake: { name: 'other' },
  }),
  'gives another version': raw('quarantined', /its version is "6.6.6", its manifest says "1.0.0"/, { handshake: { version: '6.6.6' } }),
  'grows a contract': raw('quarantined', /offers contract exec, which its manifest does not name/, {
    handshake: { contracts: [{ contract: 'exec', version: 'v1' }] },
  }),
  'grows a driver': raw('quarantined', /offers volume driver local, which its manifest does not name/, {
    offers: { drivers: ['more', 'local'].map((driver) => ({ contract: 'volume', driver, methods: [], properties: {} })) },
  }),
  'lacks a driver': raw('quarantined', /does not offer volume\/[a-z-]+, which its manifest names/, { offers: { drivers: [] } }),
  'speaks a version of the contract that the engine does not': raw('incompatible', /speaks volume v9, the engine v1/, {
    handshake: { contracts: [{ contract: 'volume', version: 'v9' }] },
  }),
  'has no version in common': {
    wishes: { manifest: { provides: [{ contract: 'volume', versions: ['v7'], drivers: ['no-common'] }] }, driver: 'no-common' },
    state: 'incompatible',
    message: /no common version of contract volume: the plugin has v7, the engine v1/,
  },
  'finds its settings fatal': raw('misconfigured', /does not take its settings: server: is not there/, {
    offers: { problems: [{ path: 'server', message: 'is not there', fatal: true }] },
  }),
};

for (const [what, { wishes, state, message, output = /start failed: / }] of Object.entries(rows)) {
  test(`a plugin that ${what} is ${state}, with the reason, and costs nobody else anything`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    const name = nameOf(what);
    await using plugin = await rig.install(name, { ...withDriver(wishes, name), enable: false });
    const { plugins } = rig.engine;
    const [error] = await Promise.all([soon(plugins.enable(name).catch((reason: unknown) => reason)), rig.othersAreWell()]);
    assert.ok(GantryError.is(error));
    assert.match(messageOf(error), message);
    assert.match(messageOf(error), new RegExp(`plugin ${name}`));
    const info = await plugin.becomes(state);
    assert.match(info.error ?? '', message);
    assert.ok(info.hint !== undefined, 'a hint says what to do');
    assert.match(info.output.join('\n'), output);
    assert.deepEqual([info.enabled, info.pid], [true, undefined]);
    const began = performance.now();
    await assert.rejects(plugin.create('none'), (refused) => new RegExp(`plugin ${name} is ${state}`).test(messageOf(refused)));
    assert.ok(performance.now() - began < 2_500, 'a plugin that will not come by itself is refused at once');
    assert.deepEqual([...processesOf('sleep 7118'), ...processesOf('sleep 7119')], []);
  });
}

function nameOf(what: string): string {
  return what === 'gives another name'
    ? 'wrong-name'
    : what
        .toLowerCase()
        .replaceAll(/[^a-z]+/g, '-')
        .replace(/-$/, '');
}

/** A raw plugin says its driver's name, which is its own. */
function withDriver(wishes: PluginWishes, name: string): PluginWishes {
  const offered = wishes.raw?.offers?.['drivers'];
  if (!Array.isArray(offered) || offered.length === 0) return wishes;
  const [, ...more] = offered as readonly object[];
  return {
    ...wishes,
    raw: { ...wishes.raw, offers: { drivers: [{ contract: 'volume', driver: name, methods: [], properties: {} }, ...more] } },
  };
}
