import { loadPlugin } from '../serve/load.ts';
import { serveUntilAsked } from './until-asked.ts';

/** The program of a packed plugin that is a module: it runs in here. */
await serveUntilAsked(async (dir) => (await loadPlugin(dir)).module);
