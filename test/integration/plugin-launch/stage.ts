import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PluginLine } from '@gantry/sdk/engine';
import { launch, type Launched, type LaunchExit, type LaunchRequest } from '../../../core/plugin-launch/index.ts';
import { slowness } from '../../support/machine/slowness.ts';

const user = 4321;

/** Whether nothing but cgroup v2 is there; else each controller has a tree of its own. */
export const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
/** Below which plugins have their groups, in the tree that counts their processes. */
export const pluginGroups = isUnified ? '/sys/fs/cgroup/gantry-plugins' : '/sys/fs/cgroup/pids/gantry-plugins';
/** The group of a plugin that is on the stage. */
export const pluginGroup = `${pluginGroups}/0123456789ab.1`;

/** The pids in that group. */
export function groupMembers(): readonly string[] {
  return readFileSync(`${pluginGroup}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
}

/** A plugin's folders, as plugin-host would make them, and what it printed. */
export class Stage implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'plugin-'));
  readonly lines: PluginLine[] = [];
  readonly #onLine: ((line: PluginLine) => void)[] = [];

  constructor() {
    for (const name of ['code', 'data', 'run']) mkdirSync(join(this.folder, name), { mode: 0o755 });
    for (const name of ['data', 'run']) chownSync(join(this.folder, name), user, user);
  }

  request(script: string, change: Partial<LaunchRequest> = {}): LaunchRequest {
    const isRoot = change.privileges?.user === 'root' || change.privileges?.unconfined === true;
    return {
      name: 'acme.test',
      instance: '0123456789ab.1',
      argv: ['/bin/sh', '-c', script],
      cwd: join(this.folder, 'data'),
      env: { PATH: '/usr/bin:/bin' },
      codeDir: join(this.folder, 'code'),
      dataDir: join(this.folder, 'data'),
      runDir: join(this.folder, 'run'),
      uid: isRoot ? 0 : user,
      gid: isRoot ? 0 : user,
      privileges: {},
      resources: { memoryBytes: 128 << 20, pids: 30 },
      onLine: (line) => {
        this.lines.push(line);
        for (const listener of this.#onLine) listener(line);
      },
      ...change,
    };
  }

  launch(
    script: string,
    change: Partial<LaunchRequest> = {},
    signal: AbortSignal = AbortSignal.timeout(20_000 * slowness),
  ): Promise<Launched> {
    return launch(this.request(script, change), { signal });
  }

  /** Runs a script to its end, and answers what it printed. */
  async run(script: string, change: Partial<LaunchRequest> = {}): Promise<LaunchExit & { readonly output: readonly string[] }> {
    const from = this.lines.length;
    await using plugin = await this.launch(script, change);
    const exit = await plugin.exited;
    return { ...exit, output: this.lines.slice(from).map(({ line }) => line) };
  }

  /** Resolves with the first line that fits, or would have. */
  async line(pattern: RegExp): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const look = ({ line }: PluginLine): void => (pattern.test(line) ? resolve(line) : undefined);
    this.lines.forEach(look);
    this.#onLine.push(look);
    return promise;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
