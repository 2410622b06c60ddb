import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const exposed = { config: { ExposedPorts: { '80/tcp': {} } } };

test('with icc off, a link opens exactly the exposed ports of its target to who links, while both run', async () => {
  await using machine = await Machine.start({ interContainer: false });
  const web = await machine.run('web', exposed);
  await web.serve(80);
  await web.serve(81);
  const linked = await machine.run('linked', { hostConfig: { Links: ['web:w'] } });
  const stranger = await machine.run('stranger');
  await linked.serve(80);
  const tried = async () => [
    await linked.reach(web.address, 80),
    await linked.reach(web.address, 81),
    await stranger.reach(web.address, 80),
    await web.reach(linked.address, 80),
  ];
  assert.deepEqual(await tried(), [`web to ${linked.address}`, '', '', '']);
  await machine.restart();
  for (const container of [web, linked, stranger]) await machine.room.adopt(container);
  assert.deepEqual(await tried(), [`web to ${linked.address}`, '', '', ''], 'after a restart of the engine');
  const { address } = web;
  await web.stop();
  const heir = await machine.run('heir', exposed);
  assert.equal(heir.address, address);
  await heir.serve(80);
  assert.equal(await linked.reach(address, 80), '', 'who gets the address gets none of its links');
  await heir.stop();
  await web.start();
  await web.serve(80);
  assert.equal(await linked.reach(web.address, 80), `web to ${linked.address}`, 'its target was started again');
});

test('with icc off, containers reach the world and nobody of their network', async () => {
  await using machine = await Machine.start({ interContainer: false });
  const [one, two] = [await machine.run('one'), await machine.run('two')];
  await two.serve(80);
  assert.equal(await one.reach(two.address, 80), '');
  assert.match(await one.run('busybox', 'ping', '-c', '1', '-W', '1', one.sandbox?.endpoints[0]?.gateway ?? ''), /1 packets received/);
});
