import { existsSync } from 'node:fs';
import { buildWhenStale } from '../build/fresh.ts';
import { Story } from './demo/story.ts';
import { inNamespaces, missingForNamespaces } from './machine/namespaces.ts';
import { ensureTools } from './setup.ts';

/**
 * npm run demo: an engine from nothing to gone, told step by step. It runs in private namespaces with roots in memory, so that the machine
 * stays as it was: only packages that were missing are installed, and that is said.
 */
prepare();
inNamespaces(import.meta.url);
const story = new Story();
process.exitCode = await story.tell();

function prepare(): void {
  if (process.env['GANTRY_TEST_INSIDE'] !== undefined) return;
  const missing = missingForNamespaces();
  if (missing !== undefined || !existsSync('/sys/fs/cgroup'))
    end(`the demo ${missing ?? 'needs cgroups'}${missing === 'needs root' ? ': sudo npm run demo' : ''}`);
  const lacking = ensureTools('run');
  if (lacking.length > 0) end(`the demo needs ${lacking.join(', ')}`);
  buildWhenStale();
}

function end(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
