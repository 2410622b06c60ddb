import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Container, greet, Machine, Neighbour } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const to = (...ports: readonly string[]) => ports.map((HostPort) => ({ HostPort }));
const shown = (machine: Machine, container: Container) => {
  const all = Object.entries(machine.room.ports(container)).flatMap(([inside, published]) =>
    (published ?? []).filter(({ hostIp }) => hostIp === '0.0.0.0').map(({ hostPort }) => `${hostPort}:${inside}`),
  );
  return all.toSorted();
};

test('NetworksRoom.publish() adds and removes ports of a running container, and those that stay keep theirs', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': to('8080', '') } } });
  await web.serve(80);
  const [chosen = ''] = shown(machine, web).filter((port) => port !== '8080:80/tcp');
  assert.ok(await web.publish({ '80/tcp': to('', '8081') }));
  assert.deepEqual(shown(machine, web), ['8081:80/tcp', chosen].toSorted());
  const reached = await Promise.all([8080, 8081, Number.parseInt(chosen, 10)].map((port) => neighbour.reach('10.99.0.1', port)));
  assert.deepEqual(reached, ['', 'web to 10.99.0.2', 'web to 10.99.0.2']);
  (await greet('', { port: 8080, ip: '0.0.0.0', greeting: 'free again' })).close();
  assert.ok(await web.publish({}));
  assert.deepEqual([shown(machine, web), await neighbour.reach('10.99.0.1', 8081)], [[], '']);
});

test('NetworksRoom.publish() of a port that another has names who has it, and changes nothing', async () => {
  await using machine = await Machine.start();
  await machine.run('other', { hostConfig: { PortBindings: { '80/tcp': to('8090') } } });
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': to('8080') } } });
  await assert.rejects(web.publish({ '80/tcp': to('8081'), '81/tcp': to('8090') }), {
    code: 'conflict',
    message: 'Bind for 0.0.0.0:8090 failed: port is already allocated to container other',
  });
  assert.deepEqual(shown(machine, web), ['8080:80/tcp']);
  (await greet('', { port: 8081, ip: '0.0.0.0', greeting: 'nobody’s' })).close();
  // Given up and taken in one step.
  assert.ok(await web.publish({ '81/tcp': to('8080') }));
  assert.deepEqual(shown(machine, web), ['8080:81/tcp']);
});

test('a host port that another program has is refused with its name', async () => {
  await using machine = await Machine.start();
  const rival = spawn(process.execPath, ['-e', "require('net').createServer().listen(8099,'0.0.0.0',()=>console.log('up'))"]);
  await once(rival.stdout, 'data');
  const comm = readFileSync(`/proc/${rival.pid}/comm`, 'utf8').trim();
  try {
    await assert.rejects(machine.run('web', { hostConfig: { PortBindings: { '80/tcp': to('8099') } } }), {
      code: 'conflict',
      message: `failed to bind host port 0.0.0.0:8099/tcp: address already in use by ${comm} (process ${rival.pid})`,
    });
  } finally {
    rival.kill();
    await once(rival, 'exit');
  }
});

test('datagrams of a port that is published no longer lead nowhere', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': to('8080') } } });
  await web.echo(80);
  assert.equal(await neighbour.ask('10.99.0.1', 8080, { withinMs: 700 }), '', 'TCP only');
  await web.publish({ '80/tcp': to('8080'), '80/udp': to('8080') });
  assert.equal(await neighbour.ask('10.99.0.1', 8080), 'web:hello');
  await web.publish({ '80/tcp': to('8080') });
  assert.equal(await neighbour.ask('10.99.0.1', 8080, { withinMs: 700 }), '', 'flows of UDP are forgotten');
});

test('a change of ports that was cut off by the end of the engine is finished by adopt()', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': to('8080') } } });
  await web.serve(80);
  web.hostConfig = { PortBindings: { '80/tcp': to('8081') } };
  await machine.restart();
  await machine.room.adopt(web);
  assert.deepEqual(shown(machine, web), ['8081:80/tcp']);
  assert.deepEqual([await neighbour.reach('10.99.0.1', 8080), await neighbour.reach('10.99.0.1', 8081)], ['', 'web to 10.99.0.2']);
});

test('NetworksRoom.publish() answers false where no network carries ports, and they come with one that does', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'inner', internal: true });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'inner' } });
  await web.serve(80);
  assert.equal(await web.publish({ '80/tcp': to('8080') }), false);
  await machine.room.create({ name: 'outer' });
  await machine.room.connect('outer', 'web', {});
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
});
