import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import type { AuthoredEntry } from '@gantry/sdk/author';
import type { ContainerInfo } from '@gantry/sdk/log';
import type { Settings } from './options.ts';

const levels = { stderr: 3, stdout: 6 } as const;

export interface MessageFacts {
  readonly hostname: string;
  readonly container: ContainerInfo;
  readonly tag: string;
  /** From labels and env. */
  readonly extra: Readonly<Record<string, string>>;
}

/** What is the same in every message of a container, in the order and with the names that Docker has. */
export function commonFields({ container, tag, extra }: MessageFacts): Readonly<Record<string, string>> {
  const additional = Object.entries(extra).map(([name, value]) => [name.startsWith('_') ? name : `_${name}`, value] as const);
  return {
    _command: container.command.join(' '),
    _container_id: container.id,
    _container_name: container.name.replace(/^\//, ''),
    _created: container.created.toISOString(),
    _image_id: container.imageId,
    _image_name: container.image,
    _tag: tag,
    ...Object.fromEntries(additional),
  };
}

/** GELF 1.1, one line. */
export function messageOf({ at, source, text }: AuthoredEntry, host: string, common: Readonly<Record<string, string>>): Buffer {
  // Docker's precision, which every receiver reads.
  const timestamp = at.seconds + Math.floor(at.nanos / 1e6) / 1e3;
  return Buffer.from(JSON.stringify({ version: '1.1', host, short_message: text, timestamp, level: levels[source], ...common }));
}

const compress = { gzip: promisify(gzip), zlib: promisify(deflate) } as const;

export async function compressed(message: Buffer, { compression, level }: Pick<Settings, 'compression' | 'level'>): Promise<Buffer> {
  return compression === 'none' ? message : compress[compression](message, { level });
}

/** What a datagram may have without being cut on its way, less the head of a chunk; as other senders of GELF have it. */
const datagramBytes = 1_420;
const headBytes = 12;
const mostChunks = 128;

/** A message as datagrams: one, or chunks of which each says what it is a part of. Undefined when it is too long for the protocol. */
export function datagramsOf(message: Buffer): readonly Buffer[] | undefined {
  if (message.length <= datagramBytes) return [message];
  const partBytes = datagramBytes - headBytes;
  const count = Math.ceil(message.length / partBytes);
  if (count > mostChunks) return undefined;
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f]),
      id,
      Buffer.from([index, count]),
      message.subarray(index * partBytes, (index + 1) * partBytes),
    ]),
  );
}
