import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { LocalEngine } from '../index.ts';

/**
 * Writes down what the process is doing, for somebody who asks why it is slow or hangs: stacks, handles and memory as Node reports them, and
 * what the engine knows of its containers and plugins. Without the environment. Answers the file's path.
 */
export function writeDump(engine: LocalEngine, execRoot: string): string {
  const folder = join(execRoot, 'dumps');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`);
  process.report.excludeEnv = true;
  const containers = engine.containers.list({ all: true });
  const dump = {
    loop: performance.eventLoopUtilization(),
    memory: process.memoryUsage(),
    resources: process.getActiveResourcesInfo(),
    containers: containers.map(({ id, name, state: { status, pid } }) => ({ id, name, status, pid })),
    plugins: engine.plugins
      .list()
      .map(({ name, state, placement, pid, restarts, error }) => ({ name, state, placement, pid, restarts, error })),
    report: process.report.getReport(),
  };
  writeFileSync(path, `${JSON.stringify(dump, undefined, 2)}\n`, { mode: 0o600 });
  return path;
}
