import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNetwork } from '@gantry/sdk/engine';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const wishes = {
  ipam: { Driver: 'default', Config: [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.9' }] },
  options: { 'com.docker.network.driver.mtu': '1380' },
  labels: { of: 'config' },
};

test('a network made of a configuration network has its subnets, options and labels, and holds it', async () => {
  await using machine = await Machine.start();
  const { room } = machine;
  await room.create({ name: 'plan', configOnly: true, ...wishes });
  assert.deepEqual(pick(room.inspect('plan')), {
    driver: 'null',
    configOnly: true,
    configFrom: '',
    ...wishes,
    ipam: { ...wishes.ipam, Options: null },
  });
  // Nothing is taken for it.
  await room.create({ name: 'made', configFrom: 'plan' });
  const made = room.inspect('made');
  assert.deepEqual(
    { ...pick(made), options: made.options['com.docker.network.driver.mtu'] },
    { driver: 'bridge', configOnly: false, configFrom: 'plan', ...wishes, ipam: { ...wishes.ipam, Options: null }, options: '1380' },
  );
  const container = await machine.run('one', { networks: { made: {} }, hostConfig: { NetworkMode: 'made' } });
  assert.match(container.sandbox?.hostsEntries.join('\n') ?? '', /^10\.77\.0\./m);
  await assert.rejects(room.remove('plan'), { code: 'forbidden', message: 'configuration network "plan" is in use by made' });
  await assert.rejects(room.connect('plan', container.id, {}), {
    code: 'forbidden',
    message: 'cannot create endpoint on configuration-only network plan',
  });
  await assert.rejects(machine.run('two', { networks: { plan: {} }, hostConfig: { NetworkMode: 'plan' } }), { code: 'forbidden' });
  await container.stop();
  machine.containers.delete(container.id);
  assert.deepEqual((await room.prune({})).deleted, ['made']);
  await machine.restart();
  assert.equal(machine.room.inspect('plan').configOnly, true);
  await machine.room.remove('plan');
});

const refused: Readonly<Record<string, readonly [request: Omit<CreateNetwork, 'name'>, code: string, message: RegExp]>> = {
  'one that is not there': [{ configFrom: 'nowhere' }, 'not_found', /configuration network "nowhere" does not exist/],
  'one that is an ordinary network': [{ configFrom: 'bridge' }, 'not_found', /configuration network "bridge" does not exist/],
  'subnets beside those of the configuration': [{ configFrom: 'plan', ipam: wishes.ipam }, 'forbidden', /user specified configurations/],
  'options beside those of the configuration': [{ configFrom: 'plan', options: { a: 'b' } }, 'forbidden', /user specified configurations/],
  'labels beside those of the configuration': [{ configFrom: 'plan', labels: { a: 'b' } }, 'forbidden', /user specified configurations/],
  'a configuration of a configuration': [{ configFrom: 'plan', configOnly: true }, 'forbidden', /cannot depend on another/],
  'a configuration that is internal': [{ configOnly: true, internal: true }, 'forbidden', /can only contain network specific fields/],
  'a configuration that is attachable': [{ configOnly: true, attachable: true }, 'forbidden', /can only contain network specific fields/],
  'a configuration with a bad subnet': [{ configOnly: true, ipam: { Config: [{ Subnet: 'zz' }] } }, 'invalid_argument', /zz/],
};

test('what no network can be made of is refused, and nothing is left', async (t) => {
  await using machine = await Machine.start();
  const { room } = machine;
  await room.create({ name: 'plan', configOnly: true, ...wishes });
  for (const [what, [request, code, message]] of Object.entries(refused))
    await t.test(what, () => assert.rejects(room.create({ name: 'bad', ...request }), { code, message }));
  await assert.rejects(room.create({ name: 'plan', configOnly: true }), { code: 'already_exists' });
  assert.deepEqual(
    room.list({ filters: { type: ['custom'] } }).map(({ name }) => name),
    ['plan'],
  );
});

function pick({ driver, configOnly, configFrom, ipam, options, labels }: ReturnType<Machine['room']['inspect']>) {
  return { driver, configOnly, configFrom, ipam, options, labels };
}
