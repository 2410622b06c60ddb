import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { strikeBudget: { count: 3, withinMs: 300_000 }, quarantineMs: [600_000], backOffMs: [20, 100] },
  });
  // Once, for what stays: the default bridge's rules, the parents of control groups.
  await using plugin = await rig.install('first', { kinds: ['volume', 'network', 'ipam'] });
  await using _network = await networkOf(plugin.driver);
  await rig.under.run('true', { hostConfig: { NetworkMode: 'faulty' } });
});
after(() => rig[Symbol.asyncDispose]());

/** A network "faulty" of this driver, and of this IPAM driver. */
async function networkOf(driver: string, { ipam = 'default', subnet = '' } = {}): Promise<AsyncDisposable & { readonly id: string }> {
  const { networks } = rig.engine;
  const Config = subnet === '' ? [] : [{ Subnet: subnet }];
  const { id } = await networks.create({ name: 'faulty', driver, ipam: { Driver: ipam, Config } });
  return { id, [Symbol.asyncDispose]: () => networks.remove(id) };
}

const network = (more: object): object => ({
  network: {
    id: '0'.repeat(64),
    name: 'faulty',
    subnets: [],
    internal: false,
    ipv4: true,
    ipv6: false,
    attachable: false,
    options: {},
    labels: {},
  },
  links: [],
  masquerade: [],
  ...more,
});
const endpoint = (more: object): object => ({
  link: { kind: 'veth', name: 'eth%d' },
  addresses: [],
  routes: [],
  publishable: false,
  ...more,
});
interface Row {
  readonly method: string;
  readonly answer: object;
  readonly message: RegExp;
}
const rows: Readonly<Record<string, Row>> = {
  "another network's id": { method: 'network.createNetwork', answer: network({}), message: /came back with another id or name/ },
  'a link in a container with a name that is a path': {
    method: 'network.attach',
    answer: endpoint({ link: { kind: 'veth', name: '../../x' } }),
    message: /"..\/..\/x" is no link name/,
  },
  "a network's link as a container's": {
    method: 'network.attach',
    answer: endpoint({ link: { kind: 'bridge', name: 'br0' } }),
    message: /a bridge belongs to a network, not to a container/,
  },
  'an address that is none': {
    method: 'network.attach',
    answer: endpoint({ addresses: ['10.0.0.2'] }),
    message: /no address with prefix length/,
  },
  'a sysctl of the machine': {
    method: 'network.attach',
    answer: endpoint({ sysctls: { 'kernel.core_pattern': '|/bin/sh' } }),
    message: /sysctl kernel\.core_pattern is out of bounds/,
  },
  'a pool that is none': { method: 'ipam.requestPool', answer: { poolId: 'p', cidr: 'somewhere' }, message: /"somewhere" is no prefix/ },
  'a pool of the other family': {
    method: 'ipam.requestPool',
    answer: { poolId: 'p', cidr: 'fd00::/64' },
    message: /fd00::\/64 is not IPv4/,
  },
  'another pool than the wished': {
    method: 'ipam.requestPool',
    answer: { poolId: 'p', cidr: '10.9.0.0/24' },
    message: /10\.9\.0\.0\/24 for the wished 10\.202\.0\.0\/24/,
  },
  'a gateway outside the pool': {
    method: 'ipam.requestAddress',
    answer: { address: '10.9.9.9/24' },
    message: /10\.9\.9\.9\/24 is not in pool/,
  },
};

for (const [what, { method, answer, message }] of Object.entries(rows)) {
  test(`a network plugin that answers ${what} gets a strike for each, nothing of it is made, and after three it is quarantined`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    const name = `net-${what
      .toLowerCase()
      .replaceAll(/[^a-z]/g, '-')
      .slice(0, 30)}-x`;
    await using plugin = await rig.install(name, { kinds: ['volume', 'network', 'ipam'] });
    await using container = await writer(rig.under, 'kept', plugin.driver);
    const isAttach = method === 'network.attach';
    const own = { ipam: method.startsWith('ipam.') ? plugin.driver : 'default', subnet: what.includes('wished') ? '10.202.0.0/24' : '' };
    await using _made = isAttach ? await networkOf(plugin.driver) : undefined;
    plugin.misbehave({ [method]: { answer } });
    for (let strike = 1; strike <= 3; strike += 1) {
      const work = isAttach
        ? rig.under.run('true', { hostConfig: { NetworkMode: 'faulty' } })
        : networkOf(plugin.driver, own).then(async (made) => await made[Symbol.asyncDispose]());
      const [error] = await Promise.all([soon(work.catch((reason: unknown) => reason)), rig.othersAreWell()]);
      assert.ok(error instanceof Error, 'it must not have been taken');
      assert.match(messageOf(error), message);
      assert.match(messageOf(error), new RegExp(`plugin ${name} returned an invalid answer for ${method.split('.')[1]}`));
      assert.equal(codeOf(error), 'internal');
      assert.match(plugin.info.output.join('\n'), /strike: /);
    }
    const { error = '' } = await plugin.becomes('quarantined');
    assert.match(error, /it broke its contract 3 times; the last: .*returned an invalid answer/);
    await container.isUntouched();
    await rig.engine.plugins.enable(name);
    plugin.misbehave({});
  });
}

test('rules that the firewall does not take, of a plugin that may have some, are a strike when the network is made', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('rules', { kinds: ['volume', 'network'], manifest: { privileges: { nftables: true } } });
  plugin.misbehave({ 'network.createNetwork': { does: 'rules', rules: ['chain x { no such word }'] } });
  await assert.rejects(networkOf(plugin.driver), /plugin rules: .*syntax error/s);
  assert.match(plugin.info.output.join('\n'), /strike: .*syntax error/);
  plugin.misbehave({ 'network.createNetwork': { does: 'rules', rules: ['chain x { counter; }'] } });
  await using _network = await networkOf(plugin.driver);
  assert.equal(plugin.info.state, 'ready');
});

test('rules of a plugin that was not granted any are a strike, and nothing of them is executed', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('ungranted', { kinds: ['volume', 'network'] });
  plugin.misbehave({ 'network.createNetwork': { does: 'rules', rules: ['chain x { counter }'] } });
  await assert.rejects(
    networkOf(plugin.driver),
    (error) => codeOf(error) === 'forbidden' && /ungranted was not granted nftables/.test(messageOf(error)),
  );
  assert.match(plugin.info.output.join('\n'), /strike: .*not granted nftables/);
});

for (const link of [
  { kind: 'veth', name: 'eth%d', master: 'docker0' },
  { kind: 'macvlan', name: 'eth%d', parent: 'docker0' },
  { kind: 'existing', name: 'eth0', parent: 'docker0' },
]) {
  test(`a ${link.kind} on a link that the network did not make is a strike, and nothing of it is made`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`borrows-${link.kind}`, { kinds: ['volume', 'network'] });
    await using _network = await networkOf(plugin.driver);
    plugin.misbehave({ 'network.attach': { answer: endpoint({ link }) } });
    await assert.rejects(
      rig.under.run('true', { hostConfig: { NetworkMode: 'faulty' } }),
      (error) => codeOf(error) === 'forbidden' && /not granted the host's network and describes its link docker0/.test(messageOf(error)),
    );
    assert.match(plugin.info.output.join('\n'), /strike: .*its link docker0/);
  });
}

test("a network whose plan makes another network's link is refused, before anything of either is touched", async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('takes-names', { kinds: ['volume', 'network'] });
  await using first = await networkOf(plugin.driver);
  const taken = `gf-${first.id.slice(0, 10)}`;
  plugin.misbehave({ 'network.createNetwork': { does: 'rules', bridge: taken } });
  const { networks } = rig.engine;
  await assert.rejects(networks.create({ name: 'second', driver: plugin.driver }), {
    code: 'conflict',
    message: `cannot make network second: interface ${taken} is network faulty's`,
  });
});
