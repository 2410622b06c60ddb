import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildWhenStale } from '../build/fresh.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { inNamespaces, missingForNamespaces } from '../support/machine/namespaces.ts';
import { ensureTools } from '../support/setup.ts';
import { bigImage } from './big-image.ts';
import { removeAll } from './containers.ts';
import type { Engine, EngineUnderTest } from './engines.ts';
import { apiScenarios, commandLineScenarios } from './api.ts';
import { buildScenarios } from './builds.ts';
import { copyingScenarios, driverScenarios } from './copying.ts';
import { layerScenarios } from './layers.ts';
import { networkScenarios } from './networks.ts';
import { attached, gantry, housedDockerd, peersFound } from './engines.ts';
import { logScenarios } from './logs.ts';
import { logCostScenarios } from './log-costs.ts';
import { Floors } from './floors.ts';
import { quiet } from './machine.ts';
import type { Result } from './report.ts';
import { comparisons, isMissed, line, table } from './report.ts';
import { pluginScenarios } from './plugins.ts';
import { portScenarios } from './ports.ts';
import { registryScenarios } from './registry.ts';
import { loadBusybox, scenarios } from './scenarios.ts';

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    dockerd: { type: 'boolean', default: false },
    peer: { type: 'string', multiple: true, default: [] },
  },
});
if (options.help) {
  console.log(readFileSync(join(import.meta.dirname, 'README.md'), 'utf8'));
  process.exit(0);
}
const top = join(import.meta.dirname, '../..');
/** What drivers and plugins cost has no peer. */
const ownScenarios = { ...driverScenarios, ...pluginScenarios, ...commandLineScenarios };
const everyScenario = {
  ...scenarios,
  ...apiScenarios,
  ...logScenarios,
  ...logCostScenarios,
  ...layerScenarios,
  ...networkScenarios,
  ...portScenarios,
  ...copyingScenarios,
  ...registryScenarios,
  ...buildScenarios,
  ...ownScenarios,
};
const chosen = Object.entries(everyScenario).filter(([name]) => options.only?.split(',').includes(name) ?? true);
if (chosen.length === 0) fail(`--only ${options.only}: the scenarios are ${Object.keys(everyScenario).join(', ')}`);

const missing = missingForNamespaces();
if (missing !== undefined) fail(`npm run bench ${missing}`);
if (process.env['GANTRY_TEST_INSIDE'] === undefined) {
  ensureTools('test');
  buildWhenStale();
  // There is no network in the namespaces.
  const lacking = options.dockerd ? prepareDockerd() : undefined;
  if (lacking !== undefined) fail(`--dockerd: ${lacking}`);
}
inNamespaces(import.meta.url, { cgroups: 'v1' });

const results: Result[] = [];
const housed = options.dockerd ? [housedDockerd()] : [];
for (const engine of [gantry, ...options.peer.map(attached), ...housed, ...(options['no-peers'] ? [] : peersFound())]) {
  console.log(`\n${engine.name}`);
  await measure(engine);
}
console.log(`\n${table(results)}`);
for (const comparison of comparisons(results, gantry.name)) console.log(comparison.line);
mkdirSync(join(top, 'out'), { recursive: true });
writeFileSync(join(top, 'out/bench.json'), `${JSON.stringify(results, null, 1)}\n`);
const isAnyMissed = results.some((result) => result.engine === gantry.name && isMissed(result));
if (options.strict && (isAnyMissed || comparisons(results, gantry.name).some(({ isMet }) => !isMet))) process.exitCode = 1;

async function measure(underTest: EngineUnderTest): Promise<void> {
  await using disk = withExt4({ sizeMiB: 8 * 1024, folder: join(top, '.cache'), isLeftInUse: underTest !== gantry });
  const floors = new Floors(join(disk.path, 'floors'));
  let engine = await underTest.start(join(disk.path, 'engine'));
  const restart = async (): Promise<Engine> => {
    await engine[Symbol.asyncDispose]();
    return (engine = await underTest.start(join(disk.path, 'engine')));
  };
  try {
    let isPrepared = false;
    for (const [name, scenario] of chosen) {
      if (underTest !== gantry && name in ownScenarios) continue;
      if (underTest.measures?.(scenario) === false) continue;
      if (name !== 'idle-memory' && !isPrepared) await loadBusybox(engine.api);
      isPrepared ||= name !== 'idle-memory';
      await quiet();
      const bench = {
        engine,
        floors,
        restart,
        bigImage: () => bigImage(join(top, '.cache')),
        folder: (prefix: string) => mkdtempSync(join(disk.path, `${prefix}-`)),
        samples: (count: number) => (options.quick ? Math.ceil(count / 3) : count),
      };
      const result = await scenario.measure(bench).then(
        (measured): Result => ({ engine: underTest.name, name, scenario, ...measured }),
        (error: unknown): Result => ({
          engine: underTest.name,
          name,
          scenario,
          values: [],
          note: `failed: ${error instanceof Error ? error.message : String(error)}`,
        }),
      );
      results.push(result);
      console.log(line(result));
    }
  } finally {
    await removeAll(engine.api);
    await engine[Symbol.asyncDispose]();
    // Peers leave mounts behind; their disk goes with them.
    if (underTest === gantry) rmSync(join(disk.path, 'engine'), { recursive: true, force: true });
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
