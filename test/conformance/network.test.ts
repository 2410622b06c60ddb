import { after, before } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { Rtnetlink } from '@gantry/sdk/linux';
import { networkCases, type NetworkUnderTest } from '../../sdk/network/conformance.ts';
import { whyNoLinks } from '../integration/networks/machine.ts';
import { Kernel } from '../support/plugins/conformance-world.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { testPlacements } from '../support/plugins/placed-suite.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const cniConfig = JSON.stringify({ cniVersion: '1.0.0', name: 'lan', plugins: [{ type: 'bridge', ipam: { type: 'host-local' } }] });
const bridgeOption = { 'com.docker.network.bridge.nonsense': '1' };

/** What one driver of each kind is tested with (nobody is at the remote address, and no packet gets there); `noKernel`: why plans of its kind cannot be executed here. */
const drivers: readonly DriverCase[] = [
  { plugin: 'bridge', driver: 'bridge', options: { 'com.docker.network.driver.mtu': '1400' }, badOption: bridgeOption },
  { plugin: 'bridge', driver: 'vxlan', options: { vxlan_id: '7', remotes: '192.0.2.1' }, badOption: bridgeOption },
  { plugin: 'macvlan', driver: 'macvlan', options: { parent: 'wire0' }, badOption: { ipvlan_mode: 'l2' } },
  {
    plugin: 'ipvlan',
    driver: 'ipvlan',
    options: { parent: 'wire0' },
    badOption: { macvlan_mode: 'bridge' },
    noKernel: whyNoLinks('ipvlan'),
  },
  { plugin: 'cni', driver: 'cni', options: { config: cniConfig }, badOption: { parent: 'eth0' } },
  { plugin: 'host', driver: 'host' },
  { plugin: 'none', driver: 'null' },
];

interface DriverCase extends Pick<NetworkUnderTest, 'options' | 'badOption'> {
  readonly plugin: string;
  readonly driver: string;
  readonly noKernel?: string | false;
}

before(() => {
  using here = Rtnetlink.open();
  here.linkAdd('wire0', { kind: 'veth', peer: { name: 'wire1' } }, { up: true });
  here.linkSet('wire1', { up: true });
});
after(() => {
  using here = Rtnetlink.open();
  here.linkDelete('wire0');
});

for (const { plugin, driver: name, options = {}, badOption, noKernel = false } of drivers) {
  testPlacements({
    label: `${name === 'null' ? 'none' : name} network`,
    plugin: `network/${plugin}`,
    kind: 'network',
    driver: name,
    cases: networkCases,
    async run({ name: caseName, skip, run }, { driver }) {
      if (name === 'vxlan' && caseName.endsWith('other-network-isolated')) return 'a VXLAN id is of one network';
      using host = new Kernel();
      const kernel = noKernel === false ? { host } : {};
      const hostLinks = plugin.endsWith('vlan');
      const subject = {
        driver,
        ctx,
        options,
        hostLinks,

        ...kernel,
        ...(badOption === undefined ? {} : { badOption }),
      };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      return reason;
    },
  });
}
