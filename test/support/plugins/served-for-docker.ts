import { join } from 'node:path';
import { serveDocker } from '../../../sdk/legacy/index.ts';
import { programModule } from '../../../sdk/legacy/program.ts';
import { loadPlugin, manifestIn } from '../../../sdk/serve/load.ts';
import { quietLog } from '../machine/quiet-log.ts';

export interface ServedPlugin {
  /** The plugin's own folder. */
  readonly dir: string;
  readonly socketPath: string;
  /** What it keeps is in here; the same folder again is a new start of it. */
  readonly root: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly isExclusive?: boolean;
}

/** A plugin's folder, served in this process by Docker's protocol. */
export function serveForDocker({ dir, settings = {}, ...places }: ServedPlugin): Promise<AsyncDisposable> {
  const manifest = manifestIn(dir);
  const load = async () => (manifest.entry.node === undefined ? programModule(dir, manifest) : (await loadPlugin(dir)).module);
  return serveDocker({ load, manifest, dir, settings, log: quietLog, ...places });
}

/** A plugin with a driver of each kind that Docker has. */
export const everyKind: string = join(import.meta.dirname, 'every-kind');
