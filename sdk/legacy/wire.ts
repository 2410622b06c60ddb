import type { DriverKind } from '../plugin.ts';

/** The kinds that Docker's plugin protocol has. */
export type DockerKind = Extract<DriverKind, 'volume' | 'network' | 'ipam' | 'log' | 'authz'>;

/** By our word for the kind: what a plugin says in `Implements`, and the type of it in config.json. */
export const dockerKinds = {
  volume: { service: 'VolumeDriver', type: 'docker.volumedriver/1.0' },
  network: { service: 'NetworkDriver', type: 'docker.networkdriver/1.0' },
  ipam: { service: 'IpamDriver', type: 'docker.ipamdriver/1.0' },
  log: { service: 'LogDriver', type: 'docker.logdriver/1.0' },
  authz: { service: 'authz', type: 'docker.authz/1.0' },
} as const satisfies Readonly<Record<DockerKind, { readonly service: string; readonly type: string }>>;

export function isDockerKind(kind: string): kind is DockerKind {
  return Object.hasOwn(dockerKinds, kind);
}

/** Where engines look for plugins by name, and where a managed one listens, in its own root. */
export const socketFolder = '/run/docker/plugins';

/** What Docker's client says that it reads, and what plugins answer with. */
export const mediaType = 'application/vnd.docker.plugins.v1.2+json';

/** Longer requests and answers are refused: neither side may fill the other's memory. */
export const longestMessage: number = 4 * 1024 * 1024;

export { decodeEntries, decodeEntry, encodeEntry } from './log-entry.ts';
