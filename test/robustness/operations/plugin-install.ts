import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation } from '../operation.ts';
import { expect } from '../requests.ts';

const name = 'kept';

/** In the namespaces' own folder for temporary files, which goes away with them. */
let folder: string | undefined;

export const installPlugin: Operation = {
  failpoints: ['plugin.sync', 'plugin.rename', 'plugin.fetched', 'plugin.recorded'],
  prepare: async () => {
    folder ??= makePlugin();
  },
  ask: async (api) => {
    const installed = await api.json<readonly { readonly name: string }[]>('GET', '/gantry/v1/plugins');
    if (installed.some((plugin) => plugin.name === name)) return;
    await api.stream('POST', '/gantry/v1/plugins/install', { json: { source: folder, grant: 'all', enable: false } });
  },
  check: async (api, { acknowledged }) => {
    const found = (await api.json<readonly { readonly name: string; readonly state: string }[]>('GET', '/gantry/v1/plugins')).filter(
      (plugin) => plugin.name === name,
    );
    assert.ok(found.length === 1 || (!acknowledged && found.length === 0), `${found.length} plugins`);
    if (found.length === 0) return;
    // What is recorded is whole: it starts.
    await expect(api, 'POST', `/plugins/${name}/enable?timeout=20`, { statuses: [200, 409] });
    await expect(api, 'POST', `/plugins/${name}/disable`, { statuses: [200] });
  },
  clean: async (api) => {
    await expect(api, 'DELETE', `/plugins/${name}?force=1`, { statuses: [200, 404] });
  },
};

function makePlugin(): string {
  const made = mkdtempSync(join(tmpdir(), 'plugin-'));
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: [name] }];
  writeFileSync(
    join(made, 'gantry-plugin.json'),
    JSON.stringify({ manifestVersion: 1, name, version: '1.0.0', provides, entry: { node: 'main.mjs' } }),
  );
  writeFileSync(
    join(made, 'main.mjs'),
    `export default { activate: async () => ({ drivers: { volume: { ${name}: { list: async function* () {} } } } }) };`,
  );
  return made;
}
