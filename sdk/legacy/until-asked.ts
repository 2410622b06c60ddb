import { once } from 'node:events';
import { messageOf } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { PluginModule } from '../plugin.ts';
import { manifestIn } from '../serve/load.ts';
import { linesLog } from './lines-log.ts';
import { serveDocker } from './serve.ts';

/**
 * All of a packed plugin's program: `node … <plugin folder> <socket> <its own folder>` serves what `load` makes of the folder until it is asked to end. Settings are variables
 * of the environment. Does not return.
 */
export async function serveUntilAsked(load: (dir: string, manifest: Manifest) => Promise<PluginModule>): Promise<never> {
  const [dir = '', socketPath = '', root = ''] = process.argv.slice(2);
  const log = linesLog((line) => process.stdout.write(line));
  // Before anything else is done: process 1 of a container ignores signals that it does not handle.
  const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  try {
    const manifest = manifestIn(dir);
    const options = { manifest, dir, socketPath, root, settings: process.env, isExclusive: true, log };
    await using _serving = await serveDocker({ ...options, load: () => load(dir, manifest) });
    log.info(`${manifest.name} ${manifest.version} listens at ${socketPath}`);
    await asked;
  } catch (error) {
    log.error(messageOf(error));
    process.exitCode = 1;
  }
  process.exit();
}
