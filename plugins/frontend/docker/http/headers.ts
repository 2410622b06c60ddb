import manifest from '../gantry-plugin.json' with { type: 'json' };

/** Minor numbers of API 1.x. */
export const maxVersion = 51;
export const minVersion = 24;
export const apiVersion = `1.${maxVersion}`;
export const minApiVersion = `1.${minVersion}`;

/** On every reply, as name, value, name, value: node writes such a list fastest. */
export const commonHeaders: readonly string[] = [
  'Api-Version',
  apiVersion,
  'Docker-Experimental',
  'false',
  'Ostype',
  'linux',
  'Server',
  `Docker/${manifest.version} (linux)`,
];

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';
