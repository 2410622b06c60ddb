import { refuse } from '../parse/refuse.ts';

/** Under this name Docker's clients keep the login of Docker Hub. */
export const hubServer = 'https://index.docker.io/v1/';

/** What a login is kept under: as users write a registry, or nothing for Docker Hub. */
export function serverOf(text: string): string {
  const host = hostOf(text);
  if (text !== '' && !/^[\w.:[\]-]+$/.test(host)) throw refuse(text, 'is not the address of a registry', 'write HOST or HOST:PORT');
  return text === '' || hubHosts.has(host) ? hubServer : host;
}

/** The registry that a reference like "reg:5000/acme/nfs:1" names; one without a host is at Docker Hub. */
export function serverOfReference(reference: string): string {
  const [first = '', ...rest] = reference.replace(/^oci:/, '').split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return isHost ? serverOf(first) : hubServer;
}

/** Older clients kept whole addresses: "https://reg:5000/v1/" is "reg:5000". */
export function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

const hubHosts = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
