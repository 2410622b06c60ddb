import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { conformance } from '@gantry/sdk/conformance';
import { volumeCases } from '../../sdk/volume/conformance.ts';
import { mountAt } from '../support/conformance-world.ts';
import { builtLanguages, builtPlugin } from '../support/language-plugins.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { testPlacements } from '../support/placed-suite.ts';
import { quietLog } from '../support/quiet-log.ts';

// Before the namespaces, which have no network: modules are fetched the first time.
const plugins = builtLanguages.map((lang) => ({ lang, name: `${lang}-volume`, built: builtPlugin(lang) }));

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

for (const { lang, name, built } of plugins) {
  if ('missing' in built) {
    test(`gantry-sdk create makes a volume driver in ${lang} that passes its tests`, { skip: built.missing }, () => {});
    continue;
  }
  // Outside an engine, as their authors prove them; inside, in the sandbox.
  conformance(built.dir);
  testPlacements({
    label: name,
    plugin: built.dir,
    kind: 'volume',
    driver: name,
    placements: ['process'],
    cases: volumeCases,
    clean: async (volumes) => {
      for (const volume of await Array.fromAsync(volumes.list({}, ctx))) await volumes.remove({ name: volume.name, force: true }, ctx);
    },
    async run({ skip, run }, { driver, restart, dataDir }) {
      const mount = (attachment: Parameters<typeof mountAt>[0]) => mountAt(attachment, { manifest: { name }, dataDir });
      const subject = { driver, ctx, restart, mount };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      return reason;
    },
  });
}
