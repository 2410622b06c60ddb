import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import { messageOf } from '@gantry/sdk/errors';
import { fail, type Finding, ok, warn } from '../../../finding.ts';

/** Whether what the manifest starts is there, inside the folder, and can be read or executed. */
export function checkEntry(folder: string, { entry: { node, exec } }: Manifest): readonly Finding[] {
  if (node !== undefined && exec !== undefined) {
    return [fail('entry', 'names both node and exec', 'keep node for a JavaScript module, or exec for a program of its own')];
  }
  const path = node ?? exec?.[0];
  if (path === undefined) return [fail('entry', 'names neither node nor exec', 'write "entry": { "node": "main.js" }')];
  if (isAbsolute(path)) return [checkAbsolute(path)];
  const problem = whyNot(folder, path, node === undefined ? constants.X_OK : constants.R_OK);
  if (problem !== undefined) return [problem];
  return [ok('entry', `${path} is there`)];
}

function checkAbsolute(path: string): Finding {
  // A program may be in the rootfs of the plugin's own image, where we cannot look.
  if (!path.startsWith('/usr/'))
    return warn('entry', `${path} is absolute: it is looked for in the plugin's own root`, 'name it relative to the folder');
  // The machine's own programs are all that the sandbox shows of it.
  if (existsSync(path)) return ok('entry', `${path} is this machine's, and must be on those of the users`);
  return warn('entry', `${path} is not on this machine`, 'install it, or bring a program in the folder');
}

function whyNot(folder: string, path: string, mode: number): Finding | undefined {
  const whole = join(folder, path);
  try {
    if (!`${realpathSync(whole)}${sep}`.startsWith(`${realpathSync(folder)}${sep}`)) {
      return fail('entry', `${path} leads out of the folder`, 'put the file into the folder: nothing else is installed');
    }
    if (!statSync(whole).isFile()) return fail('entry', `${path} is not a file`, 'name the file, e.g. "main.js"');
    accessSync(whole, mode);
    return undefined;
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EACCES';
    return fail(
      'entry',
      messageOf(error),
      isThere ? `chmod ${mode === constants.X_OK ? '+x' : '+r'} ${path}` : 'build it first, or correct the name',
    );
  }
}
