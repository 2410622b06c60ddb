import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A source as it was built: path in the checkout, time of its last change, size. `core/bin/code.mjs` compares them. */
type Source = readonly [path: string, mtimeMs: number, sizeBytes: number];

/**
 * What a build was made of. Folders of plugins are in it, so that a new plugin counts; the lock file stands for node_modules. A source
 * that changed after `beganMs` may have been read before that: it is recorded as one that never fits.
 */
export function sourcesOf(top: string, inputs: readonly string[], beganMs: number): Source[] {
  const others = globSync(['core/bin/*.mjs', 'plugins', 'plugins/*', 'plugins/*/*/gantry-plugin.json', 'test/build/*.ts'], { cwd: top });
  const own = inputs.filter((path) => !path.includes('node_modules/') && !path.startsWith('left-out:'));
  return [...own, ...others, 'package.json', 'package-lock.json'].map((path) => {
    const { mtimeMs, size } = statSync(join(top, path));
    return [path, mtimeMs < beganMs ? mtimeMs : 0, size];
  });
}
