import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const timeouts = { 'volume.create': '400ms', 'volume.remove': '400ms', 'volume.attach': '400ms', 'volume.detach': '400ms' };
let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: {
      backOffMs: [50, 200],
      crashBudget: { count: 100, withinMs: 300_000 },
      strikeBudget: { count: 3, withinMs: 300_000 },
      quarantineMs: [600_000],
      breaker: { count: 5, openMs: 1_500 },
    },
  });
  // What stays for all later ones: the parents of control groups.
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
  await rig.under.sleeping().then((container) => container[Symbol.asyncDispose]());
  await rig.callsWorker();
});
after(() => rig[Symbol.asyncDispose]());

for (const placement of ['process', 'worker'] as const) {
  test(`a hang in one call of a plugin in placement ${placement} ends at its deadline; five open the breaker, which heals by a try`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`hang-${placement}`, { placement, manifest: { timeouts } });
    await using container = await writer(rig.under, `kept-${placement}`, plugin.driver);
    plugin.misbehave({ create: { does: 'hang' } });
    for (let call = 0; call < 5; call += 1) {
      await assert.rejects(soon(plugin.create(`v${call}`)), (error) => {
        assert.match(messageOf(error), new RegExp(`hang-${placement}: create did not answer in 0.4 s`));
        return codeOf(error) === 'deadline_exceeded';
      });
      await rig.othersAreWell();
    }
    const began = performance.now();
    await assert.rejects(plugin.create('v6'), (error) => {
      assert.match(messageOf(error), new RegExp(`plugin hang-${placement} did not answer 5 calls of create in a row`));
      return codeOf(error) === 'unavailable';
    });
    assert.ok(performance.now() - began < 390, 'the breaker answers at once');
    assert.deepEqual([plugin.info.state, plugin.info.error], ['degraded', 'it did not answer 5 calls of create in a row']);
    await container.isUntouched();
    plugin.misbehave({});
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    await plugin.create('v7');
    await plugin.create('v8');
    assert.deepEqual([plugin.info.state, plugin.info.error], ['ready', undefined]);
  });
}

for (const when of ['before', 'after', 'answered'] as const) {
  test(`a plugin that is killed ${when === 'answered' ? 'a moment after' : when} the work of each call comes back, and the calls succeed`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`killed-${when}`);
    await using bystander = await writer(rig.under, `kept-${when}`, plugin.driver);
    const { volumes } = rig.engine;
    const fault = { does: 'kill', once: true, ...(when === 'before' ? {} : { when }) } as const;
    const volume = `v-${when}`;
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      create: () => plugin.create(volume),
      stat: () => volumes.inspect(volume),
      attach: () => rig.under.run('echo kept > /v/file', { hostConfig: { Binds: [`${volume}:/v`] } }),
      detach: () => rig.under.run('cat /v/file', { hostConfig: { Binds: [`${volume}:/v`] } }),
      list: () => volumes.list({}),
      remove: () => volumes.remove(volume, { force: false }),
    };
    for (const [method, call] of Object.entries(calls)) {
      const { generation = 0 } = plugin.info;
      plugin.misbehave({ [method]: fault });
      await Promise.all([soon(call()), rig.othersAreWell()]);
      await plugin.comesBack(generation);
      assert.match(plugin.info.output.join('\n'), /ended: it was ended by SIGKILL/);
    }
    await bystander.isUntouched();
  });
}
