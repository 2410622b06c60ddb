import assert from 'node:assert/strict';
import type { Api } from '../support/clients/api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { countProcesses, createContainer, expect, linesOf, removeContainer, runExec, statusOf, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const secondRun = ['sleep', '7030'];
const command = [
  'sh',
  '-c',
  `echo run; [ -e /data/open ] && exec ${secondRun.join(' ')}; while [ ! -e /data/open ]; do usleep 10000; done; exit 8`,
];
const hostConfig = { RestartPolicy: { Name: 'on-failure' }, Binds: ['restarted:/data'] };

async function isInSecondRun(api: Api): Promise<boolean> {
  return (await statusOf(api, 'restarted')) === 'running' && countProcesses(secondRun) > 0;
}

killAtEach('a restart by policy', {
  failpoints: [
    'stop.exit.collect',
    'stop.state',
    'stop.umount',
    'log.spool.delivered',
    'log.spool.emptied',
    'stop.restart-policy',
    'start.rw.mount',
    'start.intent',
    'start.monitor.spawn',
    'start.runtime.create',
    'start.intent.running',
    'start.runtime.start',
    'start.state.persist',
    'start.event',
  ],
  prepare: async (api) => {
    await createContainer(api, 'restarted', { command, hostConfig });
    await expect(api, 'POST', '/containers/restarted/start', { statuses: [204] });
  },
  ask: async (api) => {
    // It may end before the answer is there.
    await runExec(api, 'restarted', ['touch', '/data/open']).catch(() => undefined);
    await until(() => isInSecondRun(api));
  },
  check: async (api) => {
    await until(() => isInSecondRun(api));
    const { RestartCount } = await api.json<{ readonly RestartCount: number }>('GET', '/containers/restarted/json');
    assert.deepEqual([RestartCount, countProcesses(secondRun), await linesOf(api, 'restarted')], [1, 1, ['run', 'run']]);
  },
  clean: async (api) => {
    await removeContainer(api, 'restarted');
    await expect(api, 'DELETE', '/volumes/restarted?force=1', { statuses: [204, 404] });
  },
});
