import type { Ctx } from '@gantry/sdk';
import { networkCases } from '../../sdk/network/conformance.ts';
import { Kernel } from '../support/conformance-world.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { testPlacements } from '../support/placed-suite.ts';
import { quietLog } from '../support/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const badOption = { 'com.docker.network.bridge.nonsense': '1' };

for (const name of ['bridge', 'host', 'none']) {
  testPlacements({
    label: `${name} network`,
    plugin: `network/${name}`,
    kind: 'network',
    driver: name === 'none' ? 'null' : name,
    cases: networkCases,
    async run({ skip, run }, { driver }) {
      using host = new Kernel();
      const subject = { driver, ctx, host, ...(name === 'bridge' ? { badOption } : {}) };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      return reason;
    },
  });
}
