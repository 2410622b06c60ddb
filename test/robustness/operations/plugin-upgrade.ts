import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import type { PluginInfo } from '@gantry/sdk/engine';
import type { Api } from '../../support/clients/api.ts';
import type { Operation } from '../operation.ts';
import { pluginFolder } from '../plugins/rig.ts';
import { containerState, createContainer, expect } from '../requests.ts';

const name = 'upgraded';
const own = `/gantry/v1/plugins/${name}`;

/** Where the versions lie, in the namespaces' own folder for temporary files. */
let sources: { readonly first: string; readonly second: string } | undefined;
let writerPid = 0;

/** A plugin in use is brought to its next version: either serves afterwards, alone, with the state that it can read, and its container notices nothing. */
export function upgradePlugin(failpoints: Operation['failpoints'], second: Partial<Manifest> = {}): Operation {
  return {
    failpoints,
    prepare: async (api) => {
      await install(api, second);
      await inUse(api);
    },
    ask: async (api) => {
      if ((await infoOf(api)).version === '1.0.0') await upgrade(api);
    },
    check: async (api, { acknowledged }) => {
      const { version } = await infoOf(api);
      assert.ok(version === '2.0.0' || (!acknowledged && version === '1.0.0'), version);
      await servesAlone(api);
    },
    clean,
  };
}

/** The same back again. */
export function rollBackPlugin(failpoints: Operation['failpoints']): Operation {
  return {
    failpoints,
    prepare: async (api) => {
      await install(api, {});
      await inUse(api);
      if ((await infoOf(api)).version === '1.0.0') await upgrade(api);
    },
    ask: async (api) => {
      if ((await infoOf(api)).version === '2.0.0') await expect(api, 'POST', `${own}/rollback`, { statuses: [200] });
    },
    check: async (api, { acknowledged }) => {
      const { version } = await infoOf(api);
      assert.ok(version === '1.0.0' || (!acknowledged && version === '2.0.0'), version);
      await servesAlone(api);
    },
    clean,
  };
}

async function install(api: Api, second: Partial<Manifest>): Promise<void> {
  const common = { activation: 'onStart' } as const;
  const folder = mkdtempSync(join(tmpdir(), 'versions-'));
  sources ??= {
    first: pluginFolder(folder, name, { manifest: common }),
    second: pluginFolder(folder, name, { manifest: { ...common, version: '2.0.0', ...second } }),
  };
  const installed = await api.json<readonly PluginInfo[]>('GET', '/gantry/v1/plugins');
  if (installed.some((plugin) => plugin.name === name)) return;
  await api.stream('POST', '/gantry/v1/plugins/install', { json: { source: sources.first, grant: 'all', enable: true } });
}

async function inUse(api: Api): Promise<void> {
  const volume = { Name: 'data', Driver: name, DriverOpts: { state: 'of the first' } };
  await expect(api, 'POST', '/volumes/create', { statuses: [201], json: volume });
  const command = ['sh', '-c', 'while :; do echo x >> /v/lines; usleep 50000; done'];
  await createContainer(api, 'writer', { command, hostConfig: { Binds: ['data:/v'] } });
  await expect(api, 'POST', '/containers/writer/start', { statuses: [204, 304] });
  writerPid = (await containerState(api, 'writer')).Pid;
}

async function upgrade(api: Api): Promise<void> {
  await api.stream('POST', `${own}/upgrade`, { json: { source: sources?.second, grant: 'all' } });
}

async function servesAlone(api: Api): Promise<void> {
  const { state, pid, version, error } = await infoOf(api);
  assert.deepEqual([state, error], ['ready', undefined]);
  const running = globSync('/proc/[0-9]*/cmdline').filter((file) => wordsOf(file).some((word) => word.includes('/plugin-code/')));
  assert.deepEqual(running, [`/proc/${pid}/cmdline`], 'generations that run');
  const { Status: status } = await api.json<{ readonly Status: Readonly<Record<string, string>> }>('GET', '/volumes/data');
  if (version === '1.0.0') assert.equal(status['state'], 'of the first');
  const { Pid, Status } = await containerState(api, 'writer');
  assert.deepEqual([Status, Pid], ['running', writerPid]);
}

/** Of a plugin's program itself, not of what keeps its sandbox. */
function wordsOf(file: string): readonly string[] {
  try {
    const words = readFileSync(file, 'utf8').split('\0');
    return words.some((word) => /\/serve\/process\.[jt]s$/.test(word)) ? words : [];
  } catch {
    return [];
  }
}

async function clean(api: Api): Promise<void> {
  await expect(api, 'DELETE', '/containers/writer?force=1', { statuses: [204, 404] });
  await expect(api, 'DELETE', '/volumes/data?force=1', { statuses: [204, 404] });
  await expect(api, 'DELETE', `/plugins/${name}?force=1`, { statuses: [200, 404] });
}

function infoOf(api: Api): Promise<PluginInfo> {
  return api.json<PluginInfo>('GET', `${own}/json`);
}
