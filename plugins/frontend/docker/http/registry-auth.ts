import { codeOf, firstCause, forbidden, GantryError, invalidArgument, messageOf } from '@gantry/sdk';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { registryAuth } from '../bodies/objects.ts';
import { withoutAbsent } from './absent.ts';
import type { Call } from './call.ts';
import { readShape } from './shape.ts';

/** X-Registry-Auth: base64url JSON. Absent or empty: none. Credentials that cannot be read are refused: without them another image might be found. */
export function authOf(call: Call): RegistryAuth | undefined {
  const header = call.header('x-registry-auth');
  if (header === undefined || header === '') return undefined;
  try {
    const document: unknown = JSON.parse(Buffer.from(header, 'base64url').toString());
    if (document === null) return undefined;
    const auth = readShape(registryAuth, document);
    return withoutAbsent({
      username: auth.username,
      password: auth.password,
      serverAddress: auth.serveraddress,
      identityToken: auth.identitytoken,
      registryToken: auth.registrytoken,
    });
  } catch (error) {
    throw invalidArgument(`invalid X-Registry-Auth header: ${messageOf(error)}`, { hint: 'it must be JSON in base64url' });
  }
}

/**
 * Work that fails with `forbidden` where a registry wants a login. The docker CLI answers status 401 by asking for a name, even where nobody is
 * there to type one, and waits for ever.
 */
export async function withoutPrompt<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const error = firstCause(thrown);
    if (!GantryError.is(error) || codeOf(error) !== 'unauthorized') throw thrown;
    throw forbidden(error.message, { hint: error.hint, cause: error });
  }
}
