import type { RegistryAuth } from '../transport/index.ts';

/** Credentials for a registry, as Docker's clients send them; none: no header. */
export function authHeader(auth: RegistryAuth | undefined): Readonly<Record<string, string>> {
  return auth === undefined ? {} : { 'X-Registry-Auth': Buffer.from(JSON.stringify(documentOf(auth))).toString('base64url') };
}

/** The same for several registries, as builds are given them. */
export function authsHeader(auths: Readonly<Record<string, RegistryAuth>>): Readonly<Record<string, string>> {
  const documents = Object.fromEntries(Object.entries(auths).map(([server, auth]) => [server, documentOf(auth)]));
  return { 'X-Registry-Config': Buffer.from(JSON.stringify(documents)).toString('base64url') };
}

function documentOf(auth: RegistryAuth) {
  const { username, password, identityToken: identitytoken, registryToken: registrytoken, serverAddress: serveraddress } = auth;
  return { username, password, identitytoken, registrytoken, serveraddress };
}
