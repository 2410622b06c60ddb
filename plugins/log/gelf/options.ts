import { constants } from 'node:zlib';
import { invalidArgument } from '@gantry/sdk';
import { t } from '@gantry/sdk/author';
import { type LogAddress, parseLogAddress } from '@gantry/sdk/log/sinks';

/** What `--log-opt` takes, with Docker's names and meanings. */
export const options = {
  'gelf-address': t.String({ description: 'Where the receiver is: udp://host:port or tcp://host:port.' }),
  'gelf-compression-type': t.Optional(t.String({ description: 'Of datagrams: gzip, zlib or none. Default: gzip.' })),
  'gelf-compression-level': t.Optional(t.String({ description: '-1 (zlib’s own choice) to 9, the strongest. Default: 1.' })),
  'gelf-tcp-max-reconnect': t.Optional(
    t.String({ description: 'How often a batch is tried again before the engine’s own, longer pauses begin. Default: 3.' }),
  ),
  'gelf-tcp-reconnect-delay': t.Optional(t.String({ description: 'Seconds between these tries. Default: 1.' })),
} as const;

type Given = Readonly<{ 'gelf-address': string } & { [Name in Exclude<keyof typeof options, 'gelf-address'>]?: string | undefined }>;

const compressions = ['gzip', 'zlib', 'none'] as const;
export type Compression = (typeof compressions)[number];

export interface Settings {
  readonly address: Extract<LogAddress<'udp' | 'tcp'>, { readonly host: string }>;
  readonly compression: Compression;
  readonly level: number;
  readonly maxReconnect: number;
  readonly reconnectDelayMs: number;
}

/** Fails with `invalid_argument` in Docker's words. */
export function settingsOf(given: Given): Settings {
  const address = parseLogAddress<'udp' | 'tcp'>(given['gelf-address'], 'gelf-address', { schemes: ['udp', 'tcp'] });
  if (address.path !== undefined) throw invalidArgument(`gelf-address=${given['gelf-address']}: must have a host`);
  const isUdp = address.scheme === 'udp';
  const { 'gelf-compression-type': type, 'gelf-compression-level': level } = given;
  if (!isUdp && (type ?? level) !== undefined) throw invalidArgument('compression is only supported on UDP');
  return {
    address,
    compression: isUdp ? compressionOf(type ?? 'gzip') : 'none',
    level: levelOf(level ?? String(constants.Z_BEST_SPEED)),
    maxReconnect: tcpOnly('gelf-tcp-max-reconnect', 3),
    reconnectDelayMs: tcpOnly('gelf-tcp-reconnect-delay', 1) * 1_000,
  };

  function tcpOnly(name: 'gelf-tcp-max-reconnect' | 'gelf-tcp-reconnect-delay', otherwise: number): number {
    const text = given[name];
    if (text === undefined) return otherwise;
    if (isUdp) throw invalidArgument(`${JSON.stringify(name)} is only valid for TCP`);
    if (!/^\d{1,6}$/.test(text)) throw invalidArgument(`${JSON.stringify(name)} must be a positive integer, not ${text}`);
    return Number(text);
  }
}

function compressionOf(text: string): Compression {
  return compressions.find((known) => known === text) ?? unknownValue(text, 'gelf-compression-type');
}

function levelOf(text: string): number {
  return /^(-1|\d)$/.test(text) ? Number(text) : unknownValue(text, 'gelf-compression-level');
}

function unknownValue(text: string, name: string): never {
  throw invalidArgument(`unknown value ${JSON.stringify(text)} for log opt ${JSON.stringify(name)} for gelf log driver`);
}
