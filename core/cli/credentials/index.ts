import type { RegistryAuth } from '@gantry/sdk/transport';
import { messageOf } from '@gantry/sdk/errors';
import type { Context } from '../context.ts';
import { configPath } from './config-file.ts';
import { Logins } from './logins.ts';
import { serverOfReference } from './server.ts';

export { configPath } from './config-file.ts';
export { Logins } from './logins.ts';
export { hubServer, serverOf } from './server.ts';

/** Who to be at the registry of a reference, as an option of a request. A helper that fails is told, and asked without: the registry may want nobody. */
export function authFor(context: Context, reference: string): { readonly auth?: RegistryAuth } {
  const isAtRegistry = !/^(folder:|npm:|external:|\.|\/)/.test(reference);
  if (!isAtRegistry) return {};
  try {
    const auth = new Logins(configPath(process.env)).get(serverOfReference(reference));
    return auth === undefined ? {} : { auth };
  } catch (error) {
    context.note(`gantry: asking without a login: ${messageOf(error)}`);
    return {};
  }
}
