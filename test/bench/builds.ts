import { contextTar } from '../support/images/build-context.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/**
 * Builds by the classic API, whose context is made beforehand. Targets are 0.4 of what dockerd needed on an idle machine (1,695 and 155 ms),
 * since no program of the machine's own does the same work.
 */
export const buildScenarios: Readonly<Record<string, Scenario>> = {
  'build-2000': {
    unit: 'ms',
    target: { atMost: 678 },
    versus: { peer: 'dockerd', atMost: 0.4 },
    measure: (bench) => builds(bench, { isCached: false }),
  },
  'build-cached': {
    unit: 'ms',
    target: { atMost: 62 },
    versus: { peer: 'dockerd', atMost: 0.4 },
    measure: (bench) => builds(bench, { isCached: true }),
  },
  'build-200-steps': { unit: 'ms', target: { atMost: 1000 }, measure: manySteps },
};

const three =
  'FROM busybox\nWORKDIR /src\nCOPY . .\nRUN ls | wc -l > /count\nRUN find . -type f | head -5 > /five\nRUN rm -r d1\nCMD ["cat", "/count"]\n';

async function builds({ engine: { api }, samples }: Bench, { isCached }: { readonly isCached: boolean }): Promise<Measured> {
  const files = Array.from({ length: 2000 }, (_, at) => [`d${at % 20}/f${at}`, `content of file ${at}\n`.repeat(20)] as const);
  const body = contextTar({ Dockerfile: three, ...Object.fromEntries(files) });
  const build = () => api.stream('POST', `/build?t=bench-build&forcerm=1&networkmode=none${isCached ? '' : '&nocache=1'}`, { body });
  const values = await sample(samples(7), build);
  await api.call('DELETE', '/images/bench-build?force=1');
  await api.call('POST', '/build/prune?all=1');
  return { values };
}

async function manySteps({ engine: { api }, samples }: Bench): Promise<Measured> {
  const steps = Array.from({ length: 199 }, (_, at) => (at % 10 === 0 ? `COPY f /f${at}` : `ENV V${at}=${at}`));
  const body = contextTar({ Dockerfile: `FROM busybox\n${steps.join('\n')}\n`, f: 'f' });
  const build = () => api.stream('POST', '/build?t=bench-steps', { body });
  await build();
  const values = await sample(samples(7), build);
  await api.call('DELETE', '/images/bench-steps?force=1');
  return { values };
}
