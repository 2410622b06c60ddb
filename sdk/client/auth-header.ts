import type { RegistryAuth } from '../transport/index.ts';

/** Credentials for a registry, as Docker's clients send them; none: no header. */
export function authHeader(auth: RegistryAuth | undefined): Readonly<Record<string, string>> {
  if (auth === undefined) return {};
  const { username, password, identityToken: identitytoken, registryToken: registrytoken, serverAddress: serveraddress } = auth;
  const document = JSON.stringify({ username, password, identitytoken, registrytoken, serveraddress });
  return { 'X-Registry-Auth': Buffer.from(document).toString('base64url') };
}
