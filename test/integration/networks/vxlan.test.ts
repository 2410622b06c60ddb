import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Rtnetlink } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { linkNames, Machine, Neighbour, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const wide = {
  name: 'wide',
  driver: 'vxlan',
  options: { vxlan_id: '42', local: '10.99.0.1', remotes: '10.99.0.2' },
  ipam: { Config: [{ Subnet: '10.60.0.0/24', IPRange: '10.60.0.0/25', Gateway: '10.60.0.1' }] },
};

test('vxlan: containers of two machines share one network, in packets that only VXLAN carries over the wire', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await using far = await otherHost(neighbour, '10.99.0.2', '10.99.0.1', '10.60.0.2', '10.60.0.128/25');
  await machine.room.create(wide);
  const near = await machine.run('near', { hostConfig: { NetworkMode: 'wide' } });
  await run(
    '',
    'nft',
    'add table netdev seen; add chain netdev seen out { type filter hook egress device wire priority 0; }; add rule netdev seen out udp dport 4789 counter; add rule netdev seen out ip daddr 10.60.0.0/24 counter',
  );
  assert.equal(far.address, '10.60.0.128');
  assert.equal(await near.reach(far.address, 80), `far to ${near.address}`);
  assert.match(await near.run('ip', 'link', 'show', 'eth0'), /mtu 1450/);
  const counters = [...(await run('', 'nft', 'list', 'chain', 'netdev', 'seen', 'out')).matchAll(/packets (\d+)/g)].map(([, count]) =>
    Number(count),
  );
  assert.ok((counters[0] ?? 0) > 0 && counters[1] === 0, counters.join());
  await run('', 'nft', 'delete', 'table', 'netdev', 'seen');
  using here = Rtnetlink.open();
  const name = linkNames().find((link) => link.startsWith('vx-')) ?? assert.fail('no vxlan');
  assert.ok(here.linkDelete(name));
  assert.equal(await near.reach(far.address, 80), '');
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  assert.equal(await near.reach(far.address, 80), `far to ${near.address}`, 'a deleted one is back');
});

test('vxlan: an id that another network has is said when the first container comes, and nothing stays of that one', async () => {
  using _neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create(wide);
  await machine.room.create({ ...wide, name: 'second', ipam: { Config: [{ Subnet: '10.61.0.0/24' }] } });
  await machine.run('first', { hostConfig: { NetworkMode: 'wide' } });
  await assert.rejects(machine.run('late', { hostConfig: { NetworkMode: 'second' } }), {
    code: 'conflict',
    message: "VXLAN 42 on port 4789 is another network's",
  });
  assert.deepEqual(machine.room.inspect('second').containers, {});
  assert.equal(linkNames().filter((name) => name.startsWith('vx-')).length, 1);
});

for (const [options, message] of [
  [{ vxlan_id: '0', remotes: '10.0.0.1' }, /option vxlan_id is 0; it is a number from 1 to 16777215/],
  [{ remotes: '10.0.0.1' }, /option vxlan_id is missing/],
  [{ vxlan_id: '7' }, /needs either remotes or a group/],
  [{ vxlan_id: '7', remotes: 'host2' }, /"host2" is no address/],
  [{ vxlan_id: '7', group: '239.1.1.1' }, /has a group, which needs a parent, too/],
  [{ vxlan_id: '7', remotes: '10.0.0.1', vxlan_port: '70000' }, /vxlan_port is 70000/],
  [{ vxlan_id: '7', remotes: '10.0.0.1', encrypted: 'true' }, /unknown option encrypted/],
] as const) {
  test(`NetworksRoom.create() refuses a vxlan with ${JSON.stringify(options)}`, async () => {
    await using machine = await Machine.start();
    await assert.rejects(machine.room.create({ ...wide, options }), { code: 'invalid_argument', message });
    assert.deepEqual(machine.room.list({ filters: { type: ['custom'] } }), []);
  });
}

async function otherHost({ netns }: Neighbour, ...given: readonly string[]) {
  const program = join(import.meta.dirname, 'vxlan-host.ts');
  const child = spawn('nsenter', [`--net=${netns}`, process.execPath, '--disable-warning=ExperimentalWarning', program, ...given], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [address] = (await once(createInterface(child.stdout), 'line')) as [string];
  const ended = once(child, 'close');
  return {
    address,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
