import { messageOf } from '../errors.ts';
import { loadPlugin } from './load.ts';
import { serve } from './serve.ts';

/** The program that the engine starts for a plugin of a Node module: `node process.ts <plugin folder>`. */
try {
  const { module, manifest } = await loadPlugin(process.argv[2] ?? process.cwd());
  await serve(module, manifest);
} catch (error) {
  // Authors look for the place in their own file, not for ours.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  console.error([messageOf(error), ...(cause?.stack?.split('\n').filter((line) => !line.includes('(node:')) ?? [])].join('\n'));
  process.exit(1);
}
