import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, GantryError, type Manifest, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rig, soon, until, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { backOffMs: [50, 200], probationMs: 20_000, crashBudget: { count: 100, withinMs: 300_000 } },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

test('a plugin can be disabled while containers use its volumes: they go on, new uses are refused, and it says what to do', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('soft');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const { plugins } = rig.engine;
  assert.ok(plugins.users('soft').some(({ kind, name, hard }) => kind === 'volume' && name === 'kept' && !hard));
  await plugins.disable('soft');
  assert.equal(plugin.info.state, 'disabled');
  await assert.rejects(plugin.create('none'), (error) => {
    assert.ok(GantryError.is(error));
    assert.match(messageOf(error), /plugin soft is disabled/);
    return error.hint === 'gantry plugin enable soft';
  });
  await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  await plugins.enable('soft');
  await plugin.create('some');
});

test('a plugin whose containers cannot go on without it is disabled with force alone, and the refusal lists them', async () => {
  await using plugin = await rig.install('hard', { manifest: { privileges: { driverMounted: true } } });
  await using _container = await writer(rig.under, 'kept', plugin.driver);
  const { plugins } = rig.engine;
  await assert.rejects(plugins.disable('hard'), (error) => {
    assert.ok(GantryError.is(error));
    assert.deepEqual([error.code, error.reason], ['conflict', 'PLUGIN_IN_USE']);
    assert.ok((error.facts['users'] as readonly { readonly name: string }[]).length > 0);
    return /is in use by .*kept/.test(messageOf(error));
  });
  assert.equal(plugin.info.state, 'ready');
  await plugins.disable('hard', { force: true });
  assert.equal(plugin.info.state, 'disabled');
  await plugins.enable('hard');
});

test('a plugin with volumes is removed with force alone; they stay, and work again after a new install', async () => {
  await using _nothingLeft = await rig.noLeaks();
  const { plugins, volumes } = rig.engine;
  const gone = await rig.install('gone');
  await gone.create('orphan');
  await rig.under.run('echo kept > /v/file', { hostConfig: { Binds: ['orphan:/v'] } });
  await assert.rejects(plugins.remove('gone'), (error) => codeOf(error) === 'conflict' && /has .*volume orphan/.test(messageOf(error)));
  await plugins.remove('gone', { force: true });
  assert.ok((await volumes.list({})).volumes.some(({ name }) => name === 'orphan'));
  await assert.rejects(rig.under.run('true', { hostConfig: { Binds: ['orphan:/v'] } }), /gone/);
  await using again = await rig.install('gone');
  assert.equal(again.info.state, 'ready');
  assert.equal((await rig.under.run('cat /v/file', { hostConfig: { Binds: ['orphan:/v'] } })).stdout, 'kept\n');
});

test('of two plugins with one driver name the second is shadowed until it is bound', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using one = await rig.install('one', { driver: 'twin' });
  await using two = await rig.install('two', { driver: 'twin' });
  assert.deepEqual([one.info.shadowed, two.info.shadowed], [[], ['volume/twin']]);
  const { plugins, volumes } = rig.engine;
  const servedBy = async (volume: string): Promise<string | undefined> => {
    await volumes.create({ name: volume, driver: 'twin' });
    const { status } = await volumes.inspect(volume);
    await volumes.remove(volume, { force: false });
    return status?.['plugin'];
  };
  assert.equal(await servedBy('by-one'), 'one');
  await plugins.bind('volume', 'twin', 'two');
  assert.deepEqual([one.info.shadowed, two.info.shadowed], [['volume/twin'], []]);
  assert.equal(await servedBy('by-two'), 'two');
});

const failing: Readonly<Record<string, { readonly next: Partial<Manifest>; readonly message: RegExp }>> = {
  'does not start': { next: { entry: { exec: ['/bin/sh', '-c', 'exit 9'] } }, message: /it exited with code 9/ },
  'cannot be activated': { next: { settings: failingBy('activate') }, message: /the back end is not there/ },
  'fails its self-test': { next: { settings: failingBy('self-test') }, message: /its self-test failed: back end: no answer/ },
  'lacks volumes that are there': { next: { settings: failingBy('reconcile') }, message: /it does not have .*volume kept/ },
  'has not the driver': {
    next: { provides: [{ contract: 'volume', versions: ['v1'], drivers: ['another'] }] },
    message: /has no volume driver upgraded/,
  },
};
for (const [what, { next, message }] of Object.entries(failing)) {
  test(`an upgrade to a version that ${what} leaves the old one serving, without one failed call`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install('upgraded');
    await using container = await writer(rig.under, 'kept', plugin.driver);
    const { pid } = plugin;
    const load = endlessly(() => rig.engine.volumes.inspect('kept'));
    const source = rig.source('upgraded', { manifest: { version: '2.0.0', ...next } });
    await assert.rejects(soon(rig.engine.plugins.upgrade('upgraded', { source, grant: 'all' }), 20_000), message);
    assert.deepEqual([plugin.info.version, plugin.info.state, plugin.pid], ['1.0.0', 'ready', pid]);
    assert.ok((await load.stop()) > 0);
    await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  });
}

test('a version that crashes within its probation goes back by itself, with the state of before when its format is newer', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('probation');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  await plugin.create('counted', { state: 'before' });
  const source = rig.source('probation', { manifest: { version: '2.0.0', state: { version: 2 } } });
  await rig.engine.plugins.upgrade('probation', { source, grant: 'all' });
  assert.deepEqual([plugin.info.version, plugin.info.previousVersion], ['2.0.0', '1.0.0']);
  await plugin.create('counted-2', { state: 'after' });
  process.kill(plugin.pid, 'SIGKILL');
  await until(
    () => plugin.info.version === '1.0.0' && plugin.info.state === 'ready',
    15_000,
    () => JSON.stringify(plugin.info),
  );
  const { status } = await rig.engine.volumes.inspect('counted');
  assert.equal(status?.['state'], 'before');
  assert.match(plugin.info.output.join('\n'), /version 2.0.0 did not pass its probation: /);
  await container.isUntouched();
});

test('an upgrade is taken back by hand, while a container writes and calls go on', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('by-hand');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const load = endlessly(() => rig.engine.volumes.inspect('kept'));
  const source = rig.source('by-hand', { manifest: { version: '2.0.0' } });
  await rig.engine.plugins.upgrade('by-hand', { source, grant: 'all' });
  assert.equal(plugin.info.version, '2.0.0');
  await rig.engine.plugins.rollback('by-hand');
  assert.deepEqual([plugin.info.version, plugin.info.state], ['1.0.0', 'ready']);
  assert.ok((await load.stop()) > 0);
  await container.isUntouched();
});

test('settings are taken live, or by a new generation; refused ones leave the old; secrets are never shown', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('set', { settings: { colour: 'red', password: 'hunter2' } });
  const { plugins, volumes } = rig.engine;
  await plugin.create('shown');
  const colour = async () => (await volumes.inspect('shown')).status?.['colour'];
  const { pid } = plugin;
  await plugins.set('set', { colour: 'blue' });
  assert.deepEqual([await colour(), plugin.pid], ['blue', pid]);
  for (const [wrong, message] of [
    [{ colour: 'refused' }, /does not take its settings: colour: no such paint/],
    [{ colour: 'much longer than ten' }, /setting colour of plugin set must NOT have more than 10 characters/],
    [{ size: 'many' }, /setting size of plugin set must be integer/],
    [{ odd: 1 }, /plugin set has no setting "odd"/],
    [{ fails: 'self-test', size: 3 }, /its self-test failed/],
  ] as const) {
    await assert.rejects(plugins.set('set', wrong), message);
    assert.deepEqual([await colour(), plugin.pid, plugin.info.settings], ['blue', pid, { colour: 'blue' }]);
  }
  await plugins.set('set', { size: 4, colour: 'green' });
  assert.notEqual(plugin.pid, pid);
  assert.deepEqual([await colour(), plugin.info.settings, plugin.info.secrets], ['green', { colour: 'green', size: 4 }, ['password']]);
  assert.equal((await volumes.inspect('shown')).status?.['hasSecret'], 'yes');
  assert.ok(!JSON.stringify([plugins.list(), plugin.info, await Array.fromAsync(plugins.logs('set'))]).includes('hunter2'));
});

test('a plugin asks the engine from within its own call: state and look-ups answer, a stale write is a conflict, others do not see it', async () => {
  await using _nothingLeft = await rig.noLeaks();
  const manifest = { privileges: { host: ['lookup:volume'] } };
  await using plugin = await rig.install('asks', { manifest });
  await using other = await rig.install('apart', { manifest });
  for (let call = 0; call < 3; call += 1) await soon(plugin.create(`v${call}`, { lookup: `v${call}` }));
  await soon(other.create('w0', { lookup: 'v0' }));
  await plugin.create('state-1', { state: 'mine' });
  await other.create('state-2', { state: 'its' });
  const stateOf = async (volume: string) => (await rig.engine.volumes.inspect(volume)).status?.['state'];
  assert.deepEqual([await stateOf('state-1'), await stateOf('state-2')], ['mine', 'its']);
  await assert.rejects(plugin.create('stale', { cas: 'stale' }), (error) => codeOf(error) === 'conflict');
});

/** Calls one after the other, until stopped; the first failure is thrown then. */
function endlessly(call: () => Promise<unknown>): { stop(): Promise<number> } {
  let isStopped = false;
  const running = (async () => {
    let calls = 0;
    for (; !isStopped; calls += 1) {
      await call();
      await sleep(5);
    }
    return calls;
  })();
  running.catch(() => {});
  return {
    stop: () => {
      isStopped = true;
      return running;
    },
  };
}

/** A schema whose default makes the version fail. */
function failingBy(what: string): Manifest['settings'] & object {
  return { type: 'object', properties: { fails: { type: 'string', default: what } } };
}
