import { conflict, invalidArgument, type StateEntry, type StateStore } from '@gantry/sdk';
import type { Database } from './database.ts';

/** One plugin's small durable values, as the plugin sees them. */
export function stateStore(database: Database, plugin: string): StateStore {
  const state = pluginState(database, plugin);
  return {
    get: async (key) => state.get(key),
    put: async (writes, options) => state.put(writes, options),
    list: async (prefix) => state.list(prefix),
  };
}

/** What `stateStore` offers, at once: for the engine itself. */
export interface PluginState {
  get(key: string): StateEntry | undefined;
  put(...given: Parameters<StateStore['put']>): void;
  list(prefix: string): readonly StateEntry[];
}

export function pluginState(database: Database, plugin: string): PluginState {
  const entry = (row: Readonly<Record<string, unknown>>) => ({
    key: String(row['key']),
    value: String(row['value']),
    revision: Number(row['revision']),
  });
  const read = (key: string) => {
    const row = database.get('SELECT key, value, revision FROM plugin_state WHERE plugin = ? AND key = ?', plugin, key);
    return row && entry(row);
  };
  return {
    get: read,
    list: (prefix) =>
      database
        .all(
          'SELECT key, value, revision FROM plugin_state WHERE plugin = ? AND substr(key, 1, ?) = ? ORDER BY key',
          plugin,
          prefix.length,
          prefix,
        )
        .map(entry),
    put(writes, { relaxed = false } = {}) {
      for (const { key, value } of writes) {
        if (key.length > 256) throw invalidArgument(`state key of ${key.length} characters; at most 256`);
        if ((value?.length ?? 0) > 65_536) throw invalidArgument(`state value of ${key} has ${value?.length} characters; at most 65536`);
      }
      database[relaxed ? 'relaxed' : 'transaction'](() => {
        for (const { key, value, expectedRevision } of writes) {
          const revision = read(key)?.revision ?? 0;
          if (expectedRevision !== undefined && expectedRevision !== revision) {
            throw conflict(`state ${key} is at revision ${revision}, not ${expectedRevision}`);
          }
          if (value === undefined) database.run('DELETE FROM plugin_state WHERE plugin = ? AND key = ?', plugin, key);
          else {
            database.run(
              'INSERT INTO plugin_state (plugin, key, value, revision) VALUES (?, ?, ?, ?) ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value, revision = excluded.revision',
              plugin,
              key,
              value,
              revision + 1,
            );
          }
        }
      });
    },
  };
}
