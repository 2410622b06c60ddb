import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rtnetlink } from '@gantry/sdk/linux';
import { hostLinkOf } from '../../../core/execute/network-endpoint.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { linkNames, Machine, Neighbour, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const published = { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } };
const repairMs = 4_500;
const later = () => new Promise((resolve) => setTimeout(resolve, repairMs));
const repairs = (machine: Machine) => machine.logged.filter((line) => line.includes('it is back'));

for (const [what, command] of [
  ['the whole ruleset flushed', 'flush ruleset'],
  ['the table’s rules flushed', 'flush table inet gantry'],
  ['one chain flushed', 'flush chain inet gantry prerouting'],
  ['a published port taken out', 'delete element inet gantry publish4 { tcp . 8080 }'],
  ['all bridges taken out', 'flush set inet gantry bridges'],
] as const) {
  test(`the firewall is whole again within five seconds: ${what}`, async () => {
    using neighbour = new Neighbour();
    await using machine = await Machine.start();
    const web = await machine.run('web', published);
    await web.serve(80);
    assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
    const before = await run('', 'nft', 'list', 'table', 'inet', 'gantry');
    assert.equal(await run('', 'nft', command), '');
    assert.notEqual(await run('', 'nft', 'list', 'table', 'inet', 'gantry'), before);
    await later();
    assert.equal(await run('', 'nft', 'list', 'table', 'inet', 'gantry'), before);
    assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
    assert.equal(repairs(machine).length, 1);
  });
}

test('rules of others come and go without anybody’s repair', async () => {
  await using machine = await Machine.start();
  await machine.run('web', published);
  await run('', 'nft', 'add', 'table', 'inet', 'theirs');
  await machine.run('second');
  await later();
  await run('', 'nft', 'delete', 'table', 'inet', 'theirs');
  await later();
  assert.deepEqual(repairs(machine), []);
});

test('a container’s deleted link is back with its addresses, MAC address and routes, and its connections go on', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop', ipv6: true });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'shop', ...published.hostConfig } });
  await web.serve(80);
  const shown = async () =>
    (await web.run('ip', 'address', 'show', 'eth0')).match(/(inet6? \S+|link\/ether \S+)/g)?.filter((line) => !line.includes('fe80'));
  const [before, routes] = [await shown(), await web.run('ip', 'route')];
  const [endpoint] = web.sandbox?.endpoints ?? [];
  using here = Rtnetlink.open();
  assert.equal(here.linkDelete(hostLinkOf(endpoint?.endpointId ?? '')), true);
  await later();
  assert.deepEqual([await shown(), await web.run('ip', 'route')], [before, routes]);
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
  assert.equal(repairs(machine).length, 1);
  await web.stop();
  await later();
  assert.equal(linkNames().includes(hostLinkOf(endpoint?.endpointId ?? '')), false, 'a stopped container’s stays away');
});

test('a bridge that was there before is used as it is, never repaired, and left behind', async () => {
  using here = Rtnetlink.open();
  here.linkAdd('br-office', { kind: 'bridge' }, { up: true });
  {
    await using machine = await Machine.start();
    await machine.room.create({ name: 'office', options: { 'com.docker.network.bridge.name': 'br-office' } });
    const [one, two] = [
      await machine.run('one', { hostConfig: { NetworkMode: 'office' } }),
      await machine.run('two', { hostConfig: { NetworkMode: 'office' } }),
    ];
    await one.serve(80);
    assert.equal(await two.reach(one.address, 80), `one to ${two.address}`);
    await later();
    assert.deepEqual(repairs(machine), []);
  }
  assert.ok(here.linkDelete('br-office'));
});
