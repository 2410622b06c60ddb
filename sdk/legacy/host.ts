import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { notImplemented } from '../errors.ts';
import type { HostContext } from '../plugin.ts';
import type { Logger } from '../types/index.ts';
import { FileState } from './file-state.ts';

export interface HostFacts extends Pick<HostContext, 'name' | 'config' | 'secrets' | 'signal'> {
  /** Kept over restarts and upgrades; one process at a time. */
  readonly root: string;
  readonly runDir: string;
  readonly log: Logger;
}

/** What a plugin is given where no engine of ours is: files instead of the engine's records, and nobody to ask for facts. */
export function standaloneHost({ root, runDir, log, ...facts }: HostFacts): HostContext {
  const dataDir = join(root, 'data');
  rmSync(runDir, { recursive: true, force: true });
  for (const folder of [dataDir, runDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    ...facts,
    dataDir,
    runDir,
    log,
    state: FileState.open(join(root, 'state.json')),
    lookup: async () => undefined,
    subscribe() {
      throw notImplemented(`plugin ${facts.name} is told of no events: Docker's plugin protocol has none`);
    },
    report: async ({ degraded = [] }) => {
      for (const why of degraded) log.warn(why);
    },
  };
}
