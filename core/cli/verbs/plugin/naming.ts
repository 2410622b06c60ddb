import type { Client } from '@gantry/sdk/client';
import { GantryError } from '@gantry/sdk/errors';

const mostNamed = 12;

/** Waits for `work`; when it fails because a plugin is not there, the hint says which ones are. */
export async function naming<T>(plugins: Client['plugins'], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!GantryError.is(error) || error.code !== 'not_found' || !/^plugin ".*" not found$/s.test(error.message)) throw error;
    throw new GantryError(error.code, error.message, { hint: await installed(plugins), cause: error });
  }
}

async function installed(plugins: Client['plugins']): Promise<string> {
  try {
    const names = (await plugins.list()).map(({ name }) => name).toSorted();
    const more = names.length > mostNamed ? `, and ${names.length - mostNamed} more` : '';
    return names.length === 0 ? 'no plugin is installed' : `installed are ${names.slice(0, mostNamed).join(', ')}${more}`;
  } catch {
    return "'gantry plugin ls' lists those that are installed";
  }
}
