// Plain JavaScript, read before anything else is loaded.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const top = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Where a program's code is, given as a path in this package without its ending: in a published package next to the programs. In a checkout
 * in `dist`, when that was made of the very sources that are here now, else the sources themselves, which GANTRY_SOURCE=1 always asks for.
 * @param {string} path
 */
export function code(path) {
  return pathToFileURL(`${top}${place(path)}`).href;
}

function place(/** @type {string} */ path) {
  if (statSync(`${top}core/index.js`, { throwIfNoEntry: false }) !== undefined) return `${path}.js`;
  return process.env.GANTRY_SOURCE !== '1' && isFresh(path) ? `dist/${path}.js` : `${path}.ts`;
}

/**
 * Whether the program's build was made of what the checkout holds now: a look at each of its sources, 10 µs apiece.
 * @param {string} path
 */
export function isFresh(path) {
  try {
    /** @type {readonly (readonly [path: string, mtimeMs: number, sizeBytes: number])[]} */
    const sources = JSON.parse(readFileSync(`${top}dist/${path}.sources.json`, 'utf8'));
    return sources.every(([source, mtimeMs, sizeBytes]) => {
      const now = statSync(top + source, { throwIfNoEntry: false });
      return now?.mtimeMs === mtimeMs && now.size === sizeBytes;
    });
  } catch {
    return false;
  }
}
