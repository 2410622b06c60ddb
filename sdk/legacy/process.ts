import { once } from 'node:events';
import { messageOf } from '../errors.ts';
import { loadPlugin, manifestIn } from '../serve/load.ts';
import { linesLog } from './lines-log.ts';
import { serveDocker } from './serve.ts';

/** The program of a packed plugin: `node process.ts <plugin folder> <socket> <its own folder>`. Settings are variables of the environment. */
const [dir = '', socketPath = '', root = ''] = process.argv.slice(2);
const log = linesLog((line) => process.stdout.write(line));
// Before anything else is loaded: process 1 of a container ignores signals that it does not handle.
const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
try {
  const manifest = manifestIn(dir);
  const load = async () => (await loadPlugin(dir)).module;
  await using _serving = await serveDocker({ load, manifest, socketPath, root, settings: process.env, isExclusive: true, log });
  log.info(`${manifest.name} ${manifest.version} listens at ${socketPath}`);
  await asked;
} catch (error) {
  log.error(messageOf(error));
  process.exitCode = 1;
}
process.exit();
