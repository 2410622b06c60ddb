import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { unavailable } from '@gantry/sdk';
import { ipam, mount, network, t, volume } from '@gantry/sdk/author';
import { hostFor, MemoryIpamDriver } from '@gantry/sdk/testing';
import { copyCases } from '../../../../sdk/volume/conformance-copies.ts';

const request = { name: 'v', options: {}, labels: {} };

test('volume() removes what a failed create left, keeps no record of it, and can be asked again', async () => {
  const did: string[] = [];
  let isDown = true;
  const plugin = volume({
    name: 'x',
    create: () => {
      did.push('create');
      if (isDown) throw unavailable('the back end is down');
    },
    remove: () => void did.push('remove'),
    attach: () => [mount.tmpfs()],
  });
  await using host = await hostFor(plugin);
  const driver = host.driver('volume');
  await assert.rejects(driver.create(request, host.ctx()), { code: 'unavailable' });
  assert.deepEqual(await Array.fromAsync(driver.list({}, host.ctx())), []);
  isDown = false;
  await driver.create(request, host.ctx());
  await driver.create(request, host.ctx());
  assert.deepEqual(did, ['create', 'remove', 'create']);
});

test('volume() keeps a secret option out of its records, its answers and its log', async () => {
  const seen: (string | undefined)[] = [];
  const plugin = volume({
    name: 'x',
    options: { password: t.Optional(t.Secret()) },
    attach: (v) => {
      seen.push(v.options.password);
      return [mount.tmpfs()];
    },
  });
  await using host = await hostFor(plugin);
  const driver = host.driver('volume');
  const options = { password: 'correct horse' };
  const { volume: made } = await driver.create({ ...request, options }, host.ctx());
  await driver.attach({ name: 'v', attachmentId: 'a', readOnly: false, options }, host.ctx());
  assert.deepEqual(seen, ['correct horse']);
  assert.doesNotMatch(JSON.stringify([made, await host.state.list(''), host.log]), /correct horse/);
  await assert.rejects(driver.create({ ...request, options: { password: 'another' } }, host.ctx()), { code: 'already_exists' });
});

test('volume() answers an aborted call at once and lets the next of the same volume wait until the work has ended', async () => {
  const did: string[] = [];
  const plugin = volume({
    name: 'x',
    create: async () => {
      did.push('begin');
      await sleep(50);
      did.push('end');
    },
    attach: () => [mount.tmpfs()],
  });
  await using host = await hostFor(plugin);
  const stop = new AbortController();
  const first = host.driver('volume').create(request, host.ctx(stop.signal));
  await sleep(10);
  stop.abort(new Error('the caller left'));
  await assert.rejects(first, /the caller left/);
  assert.deepEqual(did, ['begin']);
  await host.driver('volume').create(request, host.ctx());
  assert.deepEqual(did, ['begin', 'end', 'begin', 'end']);
});

test('volume() forgets attachments that the engine does not know any more', async () => {
  await using host = await hostFor(volume({ name: 'x', attach: () => [mount.tmpfs()] }));
  const driver = host.driver('volume');
  await driver.create(request, host.ctx());
  for (const attachmentId of ['lives', 'gone']) await driver.attach({ name: 'v', attachmentId, readOnly: false, options: {} }, host.ctx());
  async function* refs() {
    yield { contract: 'volume', driver: 'x', kind: 'volume', id: 'v' } as const;
    yield { contract: 'volume', driver: 'x', kind: 'attachment', id: 'lives' } as const;
  }
  await Array.fromAsync(host.activation.reconcile?.(refs()) ?? []);
  await assert.rejects(driver.remove({ name: 'v', force: false }, host.ctx()), { code: 'conflict', message: /1 times/ });
});

const copying = volume({
  name: 'x',
  attach: () => [mount.tmpfs()],
  resize: () => {},
  clone: () => {},
  snapshot: () => {},
  rename: () => {},
});
for (const { name, run, skip } of copyCases) {
  test(`volume() passes ${name} with an author who only copies and moves data`, async (context) => {
    await using host = await hostFor(copying);
    const restart = async () => {
      await host.restart();
      return host.driver('volume');
    };
    const subject = { driver: host.driver('volume'), ctx: host.ctx(), restart };
    const reason = skip(subject);
    if (reason === undefined) await run(subject);
    else context.skip(reason);
  });
}

test('network() leaves out a gateway that a subnet does not have', async () => {
  const plugin = network({
    name: 'x',
    createNetwork: (n) => ({ links: [{ kind: 'bridge', name: 'b0', addresses: n.subnets.map((s) => s.gatewayCidr) }] }),
    attach: (n, { ifname, addresses }) => ({
      link: { kind: 'veth', name: ifname },
      addresses,
      routes: n.subnets.map((s) => ({ to: '0.0.0.0/0', via: s.gateway })),
    }),
  });
  await using host = await hostFor(plugin);
  const given = {
    id: 'a'.repeat(64),
    name: 'n',
    subnets: [{ cidr: '10.1.0.0/24' }],
    internal: false,
    ipv4: true,
    ipv6: false,
    attachable: false,
    options: {},
    labels: {},
  };
  const plan = await host.driver('network').createNetwork({ network: given }, host.ctx());
  assert.deepEqual(plan.links, [{ kind: 'bridge', name: 'b0', addresses: [] }]);
  const endpoint = {
    attachmentId: 'a',
    containerId: 'c',
    containerName: 'c',
    hostname: 'c',
    aliases: [],
    addresses: ['10.1.0.2/24'],
    options: {},
  };
  assert.deepEqual((await host.driver('network').attach({ network: given, endpoint }, host.ctx())).routes, []);
});

for (const [what, answer] of Object.entries({
  'no prefix length': '10.0.0.5',
  'an address elsewhere': '192.168.0.5/16',
  nothing: undefined,
  'no text': 7,
})) {
  test(`ipam() takes ${what} for no address of the pool`, async () => {
    const books = new MemoryIpamDriver();
    const plugin = ipam({
      name: 'x',
      requestPool: (r) => books.requestPool({ ...r, options: {} }),
      releasePool: (r) => books.releasePool(r),
      requestAddress: () => ({ address: answer as string }),
      releaseAddress: (r) => books.releaseAddress(r),
    });
    await using host = await hostFor(plugin);
    const driver = host.driver('ipam');
    const { poolId } = await driver.requestPool(
      { requestId: 'n', cidr: '10.0.0.0/16', range: '', ipv6: false, exclude: [], options: {} },
      host.ctx(),
    );
    await assert.rejects(driver.requestAddress({ poolId, owner: 'o', preferred: '', gateway: false }, host.ctx()), {
      code: 'internal',
      reason: 'ANSWER_INVALID',
    });
  });
}

test('hostFor() refuses settings that the manifest does not know, and keeps secrets apart', async () => {
  const plugin = volume({ name: 'x', settings: { url: t.String(), token: t.Secret() }, attach: () => [mount.tmpfs()] });
  await assert.rejects(hostFor(plugin, { settings: { ulr: 'x' } }), { code: 'invalid_argument', message: /ulr is unknown/ });
  await using host = await hostFor(plugin, { settings: { url: 'x', token: 'secret' } });
  assert.deepEqual([host.context.config, host.context.secrets], [{ url: 'x' }, { token: 'secret' }]);
  await using unset = await hostFor(plugin);
  const [check] = (await unset.activation.selfTest?.({ deep: false })) ?? [];
  assert.equal(check?.message, 'setting url is missing');
});
