import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({ pluginPolicy: { backOffMs: [50, 200], selfTestMs: 500, strikeBudget: { count: 3, withinMs: 300_000 } } });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

test('a plugin whose self-test fails serves on, degraded, with the check and its hint, until the check is well', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('tested');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  plugin.misbehave({ 'self-test': { does: 'down' } });
  const { error = '', enabled } = await plugin.becomes('degraded');
  assert.deepEqual([error, enabled], ['back end: no answer (look at the cable)', true]);
  await Promise.all([soon(plugin.create('still')), rig.othersAreWell(), container.isUntouched()]);
  plugin.misbehave({});
  await plugin.becomes('ready');
});

test('a driver whose back end is down fails each call with what it says, is degraded and never struck or stalled, and is ready at its next answer', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('behind');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  await plugin.create('there');
  plugin.misbehave({ create: { does: 'down' }, attach: { does: 'down' } });
  for (let call = 0; call < 8; call += 1) {
    await assert.rejects(soon(plugin.create(`v${call}`)), (error) => {
      assert.match(messageOf(error), /volume driver behind: create: the file server does not answer/);
      return codeOf(error) === 'unavailable';
    });
  }
  await assert.rejects(rig.under.run('true', { hostConfig: { Binds: ['there:/v'] } }), /the file server does not answer/);
  const { error = '', state, restarts } = plugin.info;
  assert.deepEqual([state, restarts], ['degraded', 0]);
  assert.match(error, /volume driver behind: create: the file server.*; volume driver behind: attach: the file server/);
  assert.doesNotMatch(plugin.info.output.join('\n'), /strike/);
  await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  plugin.misbehave({});
  await plugin.create('v9');
  assert.equal(plugin.info.state, 'degraded', 'attach was not heard of yet');
  await rig.under.run('true', { hostConfig: { Binds: ['there:/v'] } });
  await plugin.becomes('ready');
});
