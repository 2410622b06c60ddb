import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rtnetlink } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const on = (NetworkMode: string, IPv4Address?: string) => ({
  hostConfig: { NetworkMode },
  ...(IPv4Address === undefined ? {} : { networks: { [NetworkMode]: { IPAMConfig: { IPv4Address } } } }),
});
const subnetOf = (machine: Machine, name: string) => machine.room.inspect(name).ipam.Config?.[0]?.Subnet;

test('a network without a wish gets the first pool that the machine has no route into', async () => {
  using here = Rtnetlink.open();
  const link = here.linkAdd('office', { kind: 'bridge' }, { up: true });
  here.addressAdd({ link, address: '172.18.40.1/24' });
  here.routeAdd({ destination: '172.19.0.0/20', gateway: '172.18.40.9' });
  try {
    await using machine = await Machine.start();
    await machine.room.create({ name: 'shop' });
    assert.equal(subnetOf(machine, 'shop'), '172.20.0.0/16');
    await machine.room.create({ name: 'wished', ipam: { Config: [{ Subnet: '172.19.0.0/24' }] } });
    assert.equal(subnetOf(machine, 'wished'), '172.19.0.0/24', 'who names a subnet knows why');
  } finally {
    here.linkDelete('office');
  }
});

test('pools of networks never overlap, whoever chose them, and a refused network leaves none', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'one', ipam: { Config: [{ Subnet: '10.80.0.0/16' }] } });
  for (const Subnet of ['10.80.0.0/16', '10.80.4.0/24', '10.0.0.0/8', '172.17.0.0/24']) {
    await assert.rejects(machine.room.create({ name: 'two', ipam: { Config: [{ Subnet }] } }), {
      code: 'forbidden',
      message: 'Pool overlaps with other one on this address space',
    });
  }
  await assert.rejects(
    machine.room.create({ name: 'two', ipv6: true, ipam: { Config: [{ Subnet: '10.81.0.0/24' }, { Subnet: '10.80.9.0/24' }] } }),
    { code: 'forbidden' },
  );
  await machine.room.create({ name: 'two', ipam: { Config: [{ Subnet: '10.81.0.0/24' }] } });
});

test('an ip-range says where addresses are chosen, an auxiliary address is nobody’s, and the gateway takes the first that is left', async () => {
  await using machine = await Machine.start();
  const Config = [{ Subnet: '10.82.0.0/24', IPRange: '10.82.0.64/30', AuxiliaryAddresses: { router: '10.82.0.1', printer: '10.82.0.65' } }];
  await machine.room.create({ name: 'ranged', ipam: { Config } });
  assert.equal(machine.room.inspect('ranged').ipam.Config?.[0]?.Gateway, '10.82.0.2');
  const given = [await machine.run('a', on('ranged')), await machine.run('b', on('ranged')), await machine.run('c', on('ranged'))];
  assert.deepEqual(
    given.map(({ address }) => address),
    ['10.82.0.64', '10.82.0.66', '10.82.0.67'],
  );
  await assert.rejects(machine.run('d', on('ranged')), {
    code: 'exhausted',
    message: /^no available IPv4 addresses on this network's address pools: ranged \([0-9a-f]{64}\)$/,
  });
  assert.equal((await machine.run('e', on('ranged', '10.82.0.200'))).address, '10.82.0.200', 'a wish need only be in the subnet');
  await assert.rejects(machine.run('f', on('ranged', '10.82.0.65')), { code: 'already_exists' });
  await given[1]?.stop();
  assert.equal((await machine.run('g', on('ranged'))).address, '10.82.0.66');
  assert.equal(Object.keys(machine.room.inspect('ranged').containers).length, 4);
});

test('when all default pools are given away the next network says so, and takes the first one that comes back', async () => {
  await using machine = await Machine.start();
  let made = 0;
  const next = () => machine.room.create({ name: `n${made}` }).then(() => (made += 1));
  await assert.rejects(
    (async () => {
      while (made < 64) await next();
    })(),
    { code: 'exhausted', message: /all predefined address pools have been fully subnetted$/, hint: /remove networks/ },
  );
  assert.equal(made, 30, '14 more of /16, and 16 of /20');
  const freed = subnetOf(machine, 'n7');
  await machine.room.remove('n7');
  await next();
  assert.equal(subnetOf(machine, 'n30'), freed);
});

test('addresses of containers that a crash took are free after the next start, and those of others are not', async () => {
  await using machine = await Machine.start();
  const [dead, alive] = [await machine.run('dead'), await machine.run('alive')];
  const lost = dead.address;
  await machine.restart();
  await machine.room.adopt(alive);
  await machine.room.sweep(new Set([alive.id]));
  machine.containers.delete(dead.id);
  assert.equal((await machine.run('heir')).address, lost);
  assert.deepEqual(
    new Set(Object.values(machine.room.inspect('bridge').containers).map(({ ipv4 }) => ipv4)),
    new Set([`${lost}/16`, `${alive.address}/16`]),
  );
});
