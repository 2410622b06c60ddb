import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNetns, Rtnetlink } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { linkNames, Machine, Neighbour, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const eth = (output: string): readonly string[] => [...output.matchAll(/\b(eth\d+)@/g)].map(([, name]) => name ?? '');

test('connect() and disconnect() change a running container’s links, names and default route', async () => {
  await using machine = await Machine.start();
  for (const name of ['aaa', 'zzz']) await machine.room.create({ name });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'zzz' } });
  const peer = await machine.run('peer', { hostConfig: { NetworkMode: 'aaa' } });
  await web.serve(80);
  const gateway = (name: string) => machine.room.inspect(name).ipam.Config?.[0]?.Gateway ?? '';
  assert.match(await web.run('ip', 'route'), new RegExp(`default via ${gateway('zzz')} `));

  await machine.room.connect('aaa', 'web', { Aliases: ['www'] });
  assert.deepEqual(Object.keys(web.networks), ['zzz', 'aaa']);
  assert.deepEqual(eth(await web.run('ip', 'link')), ['eth0', 'eth1']);
  assert.match(await web.run('ip', 'route'), new RegExp(`default via ${gateway('aaa')} `), 'the first by name is the way out');
  const address = machine.room.inspect('aaa').containers[web.id]?.ipv4.split('/')[0] ?? '';
  assert.equal(await peer.reach(address, 80), `web to ${peer.address}`);
  await assert.rejects(machine.room.connect('aaa', 'web', {}), {
    code: 'forbidden',
    message: 'endpoint with name web already exists in network aaa',
  });
  await assert.rejects(machine.room.remove('aaa'), { code: 'forbidden', message: /has active endpoints/ });

  await machine.room.disconnect('aaa', 'web', { force: false });
  assert.deepEqual(eth(await web.run('ip', 'link')), ['eth0']);
  assert.match(await web.run('ip', 'route'), new RegExp(`default via ${gateway('zzz')} `));
  assert.deepEqual(Object.keys(web.networks), ['zzz']);
  await assert.rejects(machine.room.disconnect('aaa', 'web', { force: false }), {
    code: 'forbidden',
    message: /is not connected to network aaa/,
  });
});

test('disconnect() from the only network, which the mode named, can be followed by connect() to it, running or not', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'only' });
  const networks = machine.room.validate({ name: 'web', config: {}, hostConfig: { NetworkMode: 'only' }, networks: {} });
  assert.deepEqual(networks, { only: {} });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'only' }, networks });
  for (const prepare of [() => Promise.resolve(), () => web.stop()]) {
    await prepare();
    await assert.rejects(machine.room.connect('only', 'web', {}), { code: 'forbidden', message: /already exists in network only/ });
    await machine.room.disconnect('only', 'web', { force: false });
    await machine.room.connect('only', 'web', { Aliases: ['again'] });
  }
  await web.start();
  assert.deepEqual(web.networks['only']?.Aliases, ['again']);
});

test('connect() of a container that does not run is a wish for its next start', async () => {
  await using machine = await Machine.start();
  for (const name of ['one', 'two']) await machine.room.create({ name });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'one' } });
  await web.stop();
  await machine.room.connect('two', 'web', { IPAMConfig: {} });
  assert.deepEqual(
    machine.room.endpoints(web).map(({ networkName, ipAddress }) => [networkName, ipAddress]),
    [
      ['one', ''],
      ['two', ''],
    ],
  );
  await web.start();
  assert.deepEqual(
    web.sandbox?.endpoints.map(({ networkName }) => networkName),
    ['one', 'two'],
  );
  await web.stop();
  await machine.room.disconnect('one', 'web', { force: false });
  await web.start();
  assert.deepEqual(
    web.sandbox?.endpoints.map(({ networkName }) => networkName),
    ['two'],
  );
});

test('static addresses, MAC addresses and interface names are what was wished', async () => {
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'fixed',
    ipam: { Config: [{ Subnet: '10.66.0.0/24', IPRange: '10.66.0.128/25', Gateway: '10.66.0.254' }] },
  });
  const web = await machine.run('web', {
    hostConfig: { NetworkMode: 'fixed' },
    networks: {
      fixed: {
        IPAMConfig: { IPv4Address: '10.66.0.9' },
        MacAddress: '02:11:22:33:44:55',
        DriverOpts: { 'com.docker.network.endpoint.ifname': 'lan0' },
      },
    },
  });
  const [endpoint] = web.sandbox?.endpoints ?? [];
  assert.deepEqual([endpoint?.ipAddress, endpoint?.gateway, endpoint?.macAddress], ['10.66.0.9', '10.66.0.254', '02:11:22:33:44:55']);
  assert.match(await web.run('ip', 'link', 'show', 'lan0'), /02:11:22:33:44:55/);
  assert.equal(
    (await machine.run('next', { hostConfig: { NetworkMode: 'fixed' } })).address,
    '10.66.0.128',
    'the rest comes from the range',
  );
  const refused = (networks: Parameters<Machine['run']>[1]) => machine.run('bad', { hostConfig: { NetworkMode: 'fixed' }, ...networks });
  await assert.rejects(refused({ networks: { fixed: { IPAMConfig: { IPv4Address: '10.66.0.9' } } } }), { code: 'already_exists' });
  await assert.rejects(refused({ networks: { fixed: { IPAMConfig: { IPv4Address: '10.67.0.9' } } } }), { code: 'invalid_argument' });
  await assert.rejects(machine.run('bad', { networks: { bridge: { IPAMConfig: { IPv4Address: '172.17.0.9' } } } }), {
    message: 'user specified IP address is supported on user defined networks only',
  });
});

test('the bridge of a network is there soon after it is made, without any container, and gone with it', async () => {
  await using machine = await Machine.start();
  const before = linkNames();
  await machine.room.create({ name: 'ahead', options: { 'com.docker.network.bridge.name': 'br-ahead' } });
  assert.deepEqual(linkNames(), before, 'whoever makes it does not wait for it');
  for (const began = Date.now(); !linkNames().includes('br-ahead'); await sleep(5)) assert.ok(Date.now() - began < 10_000);
  await machine.room.remove('ahead');
  assert.deepEqual(linkNames(), before);
  await machine.room.create({ name: 'brief' });
  await machine.room.remove('brief');
  await sleep(20);
  assert.deepEqual(linkNames(), before, 'nor does it come when it is gone already');
});

test('a full network says so by name, and leaves nothing of the container that did not fit', async () => {
  await using machine = await Machine.start();
  const { id } = await machine.room.create({ name: 'tiny', ipam: { Config: [{ Subnet: '10.66.0.0/30' }] } });
  await machine.run('one', { hostConfig: { NetworkMode: 'tiny' } });
  const links = linkNames().length;
  await assert.rejects(machine.run('two', { hostConfig: { NetworkMode: 'tiny' } }), {
    code: 'exhausted',
    message: `no available IPv4 addresses on this network's address pools: tiny (${id})`,
  });
  assert.equal(linkNames().length, links);
  assert.equal(Object.keys(machine.room.inspect('tiny').containers).length, 1);
});

test('host, none and container:X give the namespaces that they name', async () => {
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { ExtraHosts: ['db:10.1.1.1', 'host.docker.internal:host-gateway'] } });
  const plain = await machine.run('plain', { hostConfig: { NetworkMode: 'host' } });
  const alone = await machine.run('alone', { hostConfig: { NetworkMode: 'none' } });
  const shared = await machine.run('shared', { hostConfig: { NetworkMode: 'container:web' } });
  const of = ({ sandbox }: typeof web) => [
    sandbox?.netnsPath,
    sandbox?.newNetns,
    sandbox?.endpoints.map(({ networkName, ipAddress }) => `${networkName} ${ipAddress}`),
  ];
  assert.deepEqual(of(plain), [undefined, undefined, ['host ']]);
  assert.deepEqual(of(alone), [undefined, true, ['none ']]);
  assert.deepEqual(of(shared), [web.netns, undefined, []]);
  assert.deepEqual(web.sandbox?.hostsEntries.slice(0, 2), ['10.1.1.1\tdb', '172.17.0.1\thost.docker.internal']);
  assert.deepEqual(Object.keys(machine.room.inspect('host').containers), [plain.id]);
  await web.stop();
  await assert.rejects(machine.run('late', { hostConfig: { NetworkMode: 'container:web' } }), {
    code: 'conflict',
    message: `cannot join network of a non running container: ${web.id}`,
  });
  await assert.rejects(machine.room.connect('bridge', 'plain', {}), { code: 'invalid_argument' });
});

test('links on the default network give hosts lines and variables', async () => {
  await using machine = await Machine.start();
  const db = await machine.run('db', { config: { ExposedPorts: { '5432/tcp': {} }, Env: ['PATH=/bin', 'PGUSER=me'] } });
  const web = await machine.run('web', { hostConfig: { Links: ['db:store'] } });
  assert.deepEqual(web.sandbox?.hostsEntries[0], `${db.address}\tstore ${db.id.slice(0, 12)} db`);
  assert.deepEqual(web.sandbox?.env, [
    'STORE_NAME=/web/store',
    `STORE_PORT=tcp://${db.address}:5432`,
    `STORE_PORT_5432_TCP=tcp://${db.address}:5432`,
    `STORE_PORT_5432_TCP_ADDR=${db.address}`,
    'STORE_PORT_5432_TCP_PORT=5432',
    'STORE_PORT_5432_TCP_PROTO=tcp',
    'STORE_ENV_PGUSER=me',
  ]);
  await assert.rejects(machine.run('bad', { hostConfig: { Links: ['nope:x'] } }), {
    code: 'invalid_argument',
    message: /could not get container for nope/,
  });
});

test('after a restart of the engine adopt() keeps connections, ports, names and addresses; sweep() takes the dead away', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'shop', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  const dead = await machine.run('dead', { hostConfig: { NetworkMode: 'shop', PortBindings: { '80/tcp': [{ HostPort: '8081' }] } } });
  await web.serve(80);
  const before = web.sandbox;
  const deadNetns = dead.netns;
  await machine.restart();
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2', 'also while no engine serves it');
  dead.running = false;
  machine.containers.delete(dead.id);
  assert.deepEqual(await machine.room.adopt(web), before);
  const fresh = await machine.run('fresh');
  await machine.room.sweep(new Set([web.id]));
  assert.equal(existsSync(fresh.netns), true, 'what was started meanwhile is no remnant');
  assert.equal(existsSync(deadNetns), false);
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
  assert.doesNotMatch(await run('', 'nft', 'list', 'map', 'inet', 'gantry', 'publish4'), /8081/);
  await assert.rejects(machine.run('rival', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } }), { code: 'conflict' });
  const next = await machine.run('next', { hostConfig: { NetworkMode: 'shop' } });
  assert.notEqual(next.address, web.address);
  assert.equal(next.address, before?.endpoints[0]?.ipAddress.replace(/2$/, '3'), 'what the dead one had is free');
  assert.match(await web.run('busybox', 'nslookup', 'next', '127.0.0.11'), new RegExp(next.address));
});

test('sweep() removes namespaces and links of ours that no book knows, and nothing foreign', async () => {
  await using machine = await Machine.start();
  const web = await machine.run('web');
  mkdirSync(`${machine.execRoot}/netns`, { recursive: true });
  createNetns(`${machine.execRoot}/netns/0123456789ab`);
  using here = Rtnetlink.open();
  const master = here.linkGet('gantry0')?.index ?? 0;
  here.linkAdd('vethstray', { kind: 'veth', peer: { name: 'straypeer' } }, { alias: 'gantry:gone', master });
  here.linkAdd('vethforeign', { kind: 'veth', peer: { name: 'foreignpeer' } }, { master });
  await machine.room.sweep(new Set([web.id]));
  assert.equal(existsSync(`${machine.execRoot}/netns/0123456789ab`), false);
  assert.deepEqual([linkNames().includes('vethstray'), linkNames().includes('vethforeign')], [false, true]);
  here.linkDelete('vethforeign');
});

test('a flushed firewall and a deleted bridge are back within five seconds', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  await web.serve(80);
  await run('', 'nft', 'flush', 'ruleset');
  assert.equal(await neighbour.reach('10.99.0.1', 8080), '');
  using here = Rtnetlink.open();
  here.linkDelete('gantry0');
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
  assert.equal(machine.logged.filter((line) => /it is back/.test(line)).length, 2);
});

test('room.remove() and room.prune() take a network’s bridge, rules and pool away', async () => {
  await using machine = await Machine.start();
  const before = linkNames();
  await machine.room.create({ name: 'keep', labels: { keep: '' } });
  await machine.room.create({ name: 'gone' });
  const subnet = machine.room.inspect('gone').ipam.Config?.[0]?.Subnet;
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'keep' } });
  await web.stop();
  assert.deepEqual(await machine.room.prune({}), { deleted: ['gone'] }, 'a stopped container still uses its network');
  machine.containers.delete(web.id);
  assert.deepEqual(await machine.room.prune({ filters: { 'label!': ['keep'] } }), { deleted: [] });
  await machine.room.create({ name: 'again' });
  assert.equal(machine.room.inspect('again').ipam.Config?.[0]?.Subnet, subnet);
  for (const name of ['keep', 'again']) await machine.room.remove(name);
  // The kernel destroys the namespace of the stopped container, and the veth with it, in its own time.
  const left = () => linkNames().filter((name) => !before.includes(name));
  for (let look = 0; look < 100 && left().length > 0; look += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(left(), []);
  assert.doesNotMatch(await run('', 'nft', 'list', 'tables'), /gantry/, 'nobody needs the table any more');
  await assert.rejects(machine.room.remove('bridge'), {
    code: 'forbidden',
    message: 'bridge is a pre-defined network and cannot be removed',
  });
  await assert.rejects(machine.room.remove('nope'), { code: 'not_found', message: 'network nope not found' });
});

test('events tell of networks in Docker’s words', async () => {
  await using machine = await Machine.start();
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type, action, actor } of machine.events.subscribe({ signal: stop.signal })) {
      seen.push(`${type} ${action} ${actor.attributes['name']} ${actor.attributes['type']} ${actor.attributes['container'] ?? ''}`.trim());
    }
  })();
  await machine.room.create({ name: 'shop' });
  const web = await machine.run('web');
  await machine.room.connect('shop', 'web', {});
  await machine.room.disconnect('shop', 'web', { force: false });
  await machine.room.remove('shop');
  stop.abort();
  await reading.catch(() => undefined);
  assert.deepEqual(seen, [
    'network create shop bridge',
    `network connect bridge bridge ${web.id}`,
    `network connect shop bridge ${web.id}`,
    `network disconnect shop bridge ${web.id}`,
    'network destroy shop bridge',
  ]);
});
