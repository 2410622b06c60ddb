import type { RegistryAuth } from '@gantry/sdk/transport';
import { registryAuth } from '../bodies/objects.ts';
import { withoutAbsent } from './absent.ts';
import type { Call } from './call.ts';
import { readShape } from './shape.ts';

/** X-Registry-Auth: base64url JSON; like Docker's daemon, what cannot be read counts as none. */
export function authOf(call: Call): RegistryAuth | undefined {
  const header = call.header('x-registry-auth');
  if (header === undefined || header === '') return undefined;
  try {
    const auth = readShape(registryAuth, JSON.parse(Buffer.from(header, 'base64url').toString()));
    return withoutAbsent({
      username: auth.username,
      password: auth.password,
      serverAddress: auth.serveraddress,
      identityToken: auth.identitytoken,
      registryToken: auth.registrytoken,
    });
  } catch {
    return undefined;
  }
}
