import assert from 'node:assert/strict';
import type { Ctx } from '../types/index.ts';
import { parseAddress, parseCidr } from './addresses.ts';
import type { Endpoint, EndpointPlan, Network, NetworkDriver, NetworkPlan } from './contract.ts';

/** What executes plans: the kit's host, on a kernel with network namespaces of its own. */
export interface PlanHost {
  makeNetwork(plan: NetworkPlan): void;
  removeNetwork(plan: NetworkPlan): Promise<void>;
  /** A new network namespace with the plan's link in it. */
  makeEndpoint(plan: EndpointPlan): PlannedEndpoint;
  /** Runs a command in an endpoint's namespace, or (undefined) in the host's: what it printed. */
  run(at: PlannedEndpoint | undefined, ...command: string[]): Promise<string>;
  /** Names of the host's links. */
  links(): readonly string[];
}
export interface PlannedEndpoint {
  readonly ifname: string;
  remove(): Promise<void>;
}
/** A driver under test. Without `host` the cases that need a kernel are left out. */
export interface NetworkUnderTest {
  readonly driver: NetworkDriver;
  readonly ctx: Ctx;
  readonly host?: PlanHost;
  /** Options that every network of this driver needs. */
  readonly options?: Readonly<Record<string, string>>;
  /** The plugin asks for the host's network: its plans may name links that they do not make. */
  readonly hostLinks?: boolean;
  /** An option that the driver must refuse. */
  readonly badOption?: Readonly<Record<string, string>>;
  /** Ends the driver and opens it again on the same durable state. */
  readonly restart?: () => Promise<NetworkDriver>;
}
export interface NetworkCase {
  readonly name: string;
  /** Why the case makes no sense for this driver; undefined: run it. */
  readonly skip: (subject: NetworkUnderTest) => string | undefined;
  readonly run: (subject: NetworkUnderTest) => Promise<void>;
}

type Run = NetworkCase['run'];

const always: Readonly<Record<string, Run>> = {
  'create.plan-valid': async ({ driver, ctx }) => {
    const plan = await driver.createNetwork({ network: network() }, ctx);
    for (const { name } of plan.links) assert.ok(Buffer.byteLength(name) <= 15, `link ${name} is longer than 15 bytes`);
    for (const { fromCidr } of plan.masquerade) assert.ok(parseCidr(fromCidr), `${fromCidr} is no prefix`);
    for (const cidr of plan.isolation?.subnets ?? []) assert.ok(parseCidr(cidr), `${cidr} is no prefix`);
  },
  'create.name-id-unchanged': async ({ driver, ctx }) => {
    const plan = await driver.createNetwork({ network: network() }, ctx);
    assert.deepEqual([plan.network.id, plan.network.name], [network().id, network().name]);
  },
  'create.normalises-only': async ({ driver, ctx }) => {
    const { network: answered } = await driver.createNetwork({ network: network({ labels: { a: 'b' } }) }, ctx);
    assert.deepEqual([answered.labels, answered.internal], [{ a: 'b' }, false]);
    for (const [index, subnet] of network().subnets.entries()) assert.equal(answered.subnets[index]?.cidr, subnet.cidr);
  },
  'create.idempotent': async ({ driver, ctx }) => {
    const request = { network: network() };
    assert.deepEqual(await driver.createNetwork(request, ctx), await driver.createNetwork(request, ctx));
  },
  'create.internal-no-nat': async ({ driver, ctx }) => {
    // Who cannot keep containers in says so: a promise of separation is never silently empty.
    const plan = await driver
      .createNetwork({ network: network({ internal: true }) }, ctx)
      .catch((error: Error & { readonly code?: string }) => {
        assert.equal(error.code, 'invalid_argument', error.message);
        assert.match(error.message, /internal/);
        return undefined;
      });
    if (plan === undefined) return;
    assert.equal(plan.network.internal, true);
    assert.deepEqual(plan.masquerade, []);
    const endpoint = await driver.attach({ network: plan.network, endpoint: attachment('a', 2) }, ctx);
    assert.deepEqual(
      endpoint.routes.filter(({ to }) => parseCidr(to)?.length === 0),
      [],
      'no way out',
    );
    assert.equal(endpoint.publishable, false);
  },
  'remove.ok-and-twice': async ({ driver, ctx }) => {
    const plan = await driver.createNetwork({ network: network() }, ctx);
    for (let round = 0; round < 2; round += 1) await driver.removeNetwork({ network: plan.network }, ctx);
  },
  'attach.repeat-same-plan': async (subject) => {
    assert.deepEqual(await attach(subject, attachment('a', 2)), await attach(subject, attachment('a', 2)));
  },
  'detach.twice': async (subject) => {
    await attach(subject, attachment('a', 2));
    for (let round = 0; round < 2; round += 1) {
      await subject.driver.detach({ network: network(), attachmentId: 'a', netnsGone: false }, subject.ctx);
    }
  },
  'detach.netns-gone': async (subject) => {
    await attach(subject, attachment('a', 2));
    await subject.driver.detach({ network: network(), attachmentId: 'a', netnsGone: true }, subject.ctx);
  },
  'detach.never-attached': async ({ driver, ctx }) => {
    await driver.detach({ network: network(), attachmentId: 'never', netnsGone: false }, ctx);
  },
};

/** For drivers whose containers have a namespace of their own. */
const own: Readonly<Record<string, Run>> = {
  'create.ipv6': async ({ driver, ctx }) => {
    const six = network({ ipv6: true, subnets: [...network().subnets, { cidr: 'fd00:66::/64', gateway: 'fd00:66::1' }] });
    await driver.createNetwork({ network: six }, ctx);
    const endpoint = { ...attachment('a', 2), addresses: ['10.66.0.2/24', 'fd00:66::2/64'] };
    const plan = await driver.attach({ network: six, endpoint }, ctx);
    assert.deepEqual(plan.addresses, endpoint.addresses);
  },
  'attach.requested-ip-mac-ifname': async (subject) => {
    const mac = '02:00:00:00:00:09';
    const wished = { ...attachment('a', 2), ifname: 'lan0' };
    // Links without a hardware address of their own: whoever wishes for one is told.
    const plan = await attach(subject, { ...wished, mac }).catch((error: Error & { readonly code?: string }) => {
      assert.equal(error.code, 'invalid_argument', error.message);
      assert.ok(error.message.includes(mac), `"${error.message}" does not name ${mac}`);
      return undefined;
    });
    const { addresses, link } = plan ?? (await attach(subject, wished));
    assert.deepEqual([addresses, link.name], [['10.66.0.2/24'], 'lan0']);
    if (plan !== undefined) assert.equal(plan.mac, mac);
  },
  'attach.ifname-15-bytes': async (subject) => {
    for (const part of [await attach(subject, attachment('a'.repeat(25), 2))]) assert.ok(Buffer.byteLength(part.link.name) <= 15);
  },
  'parallel.32-attach': async (subject) => {
    const plan = await subject.driver.createNetwork({ network: network() }, subject.ctx);
    const plans = await Promise.all(Array.from({ length: 32 }, (_, at) => attach(subject, attachment(`a${at}`, at + 2), plan)));
    assert.deepEqual(
      plans.map(({ addresses }) => addresses),
      plans.map((_, at) => [`10.66.0.${at + 2}/24`]),
    );
  },
  'check.ok': async (subject) => {
    const plan = await attach(subject, attachment('a', 2));
    assert.deepEqual((await subject.driver.check?.({ network: network(), attachmentId: 'a', plan }, subject.ctx))?.problems ?? [], []);
  },
  'attach.gateway-route': async (subject) => {
    const plan = await attach(subject, attachment('a', 2));
    const way = plan.routes.find(({ to }) => to === '0.0.0.0/0');
    if (way === undefined) return;
    assert.equal(way.via, plan.gateway);
    assert.equal(parseAddress(way.via ?? '')?.family, 4);
  },
};

/** For plugins that do not ask for the host's network. */
const unprivileged: Readonly<Record<string, Run>> = {
  'plan.ungranted-links': async (subject) => {
    const plan = await subject.driver.createNetwork({ network: network() }, subject.ctx);
    const { link } = await attach(subject, attachment('a', 2), plan);
    const made = plan.links.filter((each) => !isOfHost(each)).map(({ name }) => name);
    const wanted = [...plan.links, link].flatMap((each) =>
      (isOfHost(each) ? [each.name] : []).concat(each.parent ?? [], each.master ?? []),
    );
    const others = [...wanted, ...(plan.isolation === undefined ? [] : [plan.isolation.bridge])].filter((name) => !made.includes(name));
    assert.deepEqual(others, [], `describes links that no network of its own has, without "privileges": { "network": "host" }`);
  },
};

function isOfHost({ kind, existing }: EndpointPlan['link']): boolean {
  return kind === 'existing' || existing === true;
}

const withBadOption: Readonly<Record<string, Run>> = {
  'create.unknown-option': async ({ driver, ctx, badOption = {} }) => {
    const key = Object.keys(badOption)[0] ?? '';
    await assert.rejects(
      driver.createNetwork({ network: network({ options: badOption }) }, ctx),
      (error: Error & { readonly code?: string }) => {
        assert.equal(error.code, 'invalid_argument');
        assert.ok(error.message.includes(key), `"${error.message}" does not name ${key}`);
        return true;
      },
    );
  },
};

/** For plugins that can be started again. */
const restarted: Readonly<Record<string, Run>> = {
  'detach.plugin-restarted-between': async (subject) => {
    const { network: planned, context } = await subject.driver.createNetwork({ network: network() }, subject.ctx);
    const { context: ofEndpoint } = await attach(subject, attachment('a', 2));
    const driver = (await subject.restart?.()) ?? subject.driver;
    const kept = <Context>(given: Context | undefined) => (given === undefined ? {} : { context: given });
    await driver.detach({ network: planned, attachmentId: 'a', netnsGone: false, ...kept(ofEndpoint) }, subject.ctx);
    await driver.removeNetwork({ network: planned, ...kept(context) }, subject.ctx);
  },
};

/** Plans in a real kernel. */
const inKernel: Readonly<Record<string, (subject: NetworkUnderTest, host: PlanHost) => Promise<void>>> = {
  'attach.interface-up-in-netns': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const one = host.makeEndpoint(await attach(subject, attachment('a', 2), plan));
      const shown = await host.run(one, 'ip', 'address', 'show', one.ifname);
      assert.match(shown, /state (UP|UNKNOWN)/);
      assert.match(shown, /inet 10\.66\.0\.2\/24/);
      await one.remove();
    });
  },
  'attach.two-containers-ping': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const one = host.makeEndpoint(await attach(subject, attachment('a', 2), plan));
      const two = host.makeEndpoint(await attach(subject, attachment('b', 3), plan));
      assert.match(await ping(host, one, '10.66.0.3'), /[1-9]\d* (packets )?received/);
      await one.remove();
      await two.remove();
    });
  },
  'attach.mtu': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const described = await attach(subject, attachment('a', 2), plan);
      const one = host.makeEndpoint(described);
      const shown = await host.run(one, 'ip', 'link', 'show', one.ifname);
      if (described.link.mtu !== undefined) assert.match(shown, new RegExp(`mtu ${described.link.mtu}\\b`));
      await one.remove();
    });
  },
  'attach.static-routes': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const described = await attach(subject, attachment('a', 2), plan);
      const one = host.makeEndpoint(described);
      const shown = `${await host.run(one, 'ip', '-4', 'route')}${await host.run(one, 'ip', '-6', 'route')}`.split('\n');
      for (const { to, via = '' } of described.routes) {
        const wanted = parseCidr(to)?.length === 0 ? 'default' : to;
        const found = shown.some((line) => line.startsWith(`${wanted} `) && (via === '' || line.includes(` via ${via} `)));
        assert.ok(found, `no route to ${to} ${via} in ${shown.join('; ')}`);
      }
      await one.remove();
    });
  },
  'attach.other-network-isolated': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const other = network({ id: 'e'.repeat(64), name: 'other', subnets: [{ cidr: '10.67.0.0/24', gateway: '10.67.0.1' }] });
      await withNetwork(
        subject,
        host,
        async (otherPlan) => {
          const one = host.makeEndpoint(await attach(subject, attachment('a', 2), plan));
          const endpoint = { ...attachment('b', 2), addresses: ['10.67.0.2/24'] };
          const two = host.makeEndpoint(await attach(subject, endpoint, otherPlan));
          assert.doesNotMatch(await ping(host, one, '10.67.0.2'), /[1-9]\d* (packets )?received/);
          await one.remove();
          await two.remove();
        },
        other,
      );
    });
  },
  'detach.cleans-host-side': async (subject, host) => {
    await withNetwork(subject, host, async (plan) => {
      const before = host.links();
      const one = host.makeEndpoint(await attach(subject, attachment('a', 2), plan));
      await one.remove();
      assert.deepEqual(host.links(), before);
    });
  },
  'plan.undo-without-plugin': async (subject, host) => {
    const before = host.links();
    const plan = await subject.driver.createNetwork({ network: network() }, subject.ctx);
    host.makeNetwork(plan);
    host.makeNetwork(plan);
    await host.removeNetwork(plan);
    await host.removeNetwork(plan);
    assert.deepEqual(host.links(), before);
  },
};

/** What every network driver must do, by named case; each case wants a driver with nothing made. */
export const networkCases: readonly NetworkCase[] = [
  ...named(always, () => undefined),
  ...named(own, notOwn),
  ...named(unprivileged, ({ hostLinks }) => (hostLinks === true ? "the plugin asks for the host's network" : undefined)),
  ...named(restarted, (subject) => (subject.restart === undefined ? 'it cannot be started again here' : notOwn(subject))),
  ...named(withBadOption, ({ badOption }) => (badOption === undefined ? 'no option to refuse was given' : undefined)),
  ...Object.entries(inKernel).map(([name, run]) => ({
    name,
    skip: (subject: NetworkUnderTest) => (subject.host === undefined ? 'needs a kernel with network namespaces' : notOwn(subject)),
    run: async (subject: NetworkUnderTest) => {
      if (subject.host !== undefined) await run(withOptions(subject), subject.host);
    },
  })),
];

function named(cases: Readonly<Record<string, Run>>, skip: NetworkCase['skip']): readonly NetworkCase[] {
  return Object.entries(cases).map(([name, run]) => ({ name, skip, run: (subject) => run(withOptions(subject)) }));
}

/** The same driver, whose networks all have the options that it needs. */
function withOptions(subject: NetworkUnderTest): NetworkUnderTest {
  const { driver, options = {}, restart } = subject;
  if (Object.keys(options).length === 0) return subject;
  const full = <Request extends { readonly network: Network }>(request: Request): Request => ({
    ...request,
    network: { ...request.network, options: { ...options, ...request.network.options } },
  });
  const given = Object.assign(Object.create(driver) as NetworkDriver, {
    createNetwork: (request, ctx) => driver.createNetwork(full(request), ctx),
    removeNetwork: (request, ctx) => driver.removeNetwork(full(request), ctx),
    attach: (request, ctx) => driver.attach(full(request), ctx),
    detach: (request, ctx) => driver.detach(full(request), ctx),
  } satisfies Partial<NetworkDriver>);
  const again = restart && (async () => withOptions({ driver: await restart(), ctx: subject.ctx, options }).driver);
  return { ...subject, driver: given, ...(again && { restart: again }) };
}

function notOwn({ driver }: NetworkUnderTest): string | undefined {
  return driver.namespace === 'own' && driver.ipam ? undefined : 'the driver gives containers no addresses';
}

function network(changes: Partial<Network> = {}): Network {
  return {
    id: 'c'.repeat(64),
    name: 'conformance',
    subnets: [{ cidr: '10.66.0.0/24', gateway: '10.66.0.1' }],
    internal: false,
    ipv4: true,
    ipv6: false,
    attachable: false,
    options: {},
    labels: {},
    ...changes,
  };
}

function attachment(attachmentId: string, host: number): Endpoint {
  const containerId = Buffer.from(attachmentId).toString('hex').padEnd(64, '0').slice(0, 64);
  return {
    attachmentId,
    containerId,
    containerName: attachmentId,
    hostname: attachmentId,
    aliases: [],
    addresses: [`10.66.0.${host}/24`],
    options: {},
  };
}

async function attach({ driver, ctx }: NetworkUnderTest, endpoint: Endpoint, plan?: NetworkPlan): Promise<EndpointPlan> {
  const { network: normalised, context } = plan ?? (await driver.createNetwork({ network: network() }, ctx));
  return driver.attach({ network: normalised, endpoint, ...(context === undefined ? {} : { networkContext: context }) }, ctx);
}

async function withNetwork(
  { driver, ctx }: NetworkUnderTest,
  host: PlanHost,
  work: (plan: NetworkPlan) => Promise<void>,
  wanted: Network = network(),
): Promise<void> {
  const plan = await driver.createNetwork({ network: wanted }, ctx);
  host.makeNetwork(plan);
  try {
    await work(plan);
  } finally {
    await host.removeNetwork(plan);
  }
}

function ping(host: PlanHost, from: PlannedEndpoint, address: string): Promise<string> {
  return host.run(from, 'busybox', 'ping', '-c', '1', '-W', '1', address);
}
