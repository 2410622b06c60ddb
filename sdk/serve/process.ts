import { loadPlugin } from './load.ts';
import { serve } from './serve.ts';

/** The program that the engine starts for a plugin of a Node module: `node process.ts <plugin folder>`. */
const { module, manifest } = await loadPlugin(process.argv[2] ?? process.cwd());
await serve(module, manifest);
