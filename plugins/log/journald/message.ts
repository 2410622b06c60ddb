import type { AuthoredEntry } from '@gantry/sdk/author';
import { type ContainerInfo, formatLogTime, LinePieces } from '@gantry/sdk/log';

const priorities = { stderr: '3', stdout: '6' } as const;

/** Lines into records of journald's native protocol: fields, each as NAME=value, or with its length in front where it may hold anything. */
export class Recorder {
  readonly #common: Buffer;
  readonly #pieces = new LinePieces();

  constructor({ id, name, image }: ContainerInfo, tag: string, extra: Readonly<Record<string, string>>) {
    const own = {
      CONTAINER_ID: id.slice(0, 12),
      CONTAINER_ID_FULL: id,
      CONTAINER_NAME: name.replace(/^\//, ''),
      CONTAINER_TAG: tag,
      IMAGE_NAME: image,
      SYSLOG_IDENTIFIER: tag,
    };
    const others = Object.entries(extra).flatMap(([key, value]) => {
      const field = fieldName(key);
      return field === '' || field in own ? [] : [[field, value] as const];
    });
    this.#common = Buffer.concat([...Object.entries(own), ...others].map(([field, value]) => fieldOf(field, value)));
  }

  record(entry: AuthoredEntry): Buffer {
    const piece = this.#pieces.next(entry);
    const more = {
      PRIORITY: priorities[entry.source],
      SYSLOG_TIMESTAMP: formatLogTime(entry.at),
      ...(piece === undefined
        ? {}
        : {
            ...(piece.isLast ? {} : { CONTAINER_PARTIAL_MESSAGE: 'true' }),
            CONTAINER_PARTIAL_ID: piece.id,
            CONTAINER_PARTIAL_ORDINAL: String(piece.ordinal),
            CONTAINER_PARTIAL_LAST: String(piece.isLast),
          }),
    };
    return Buffer.concat([
      fieldOf('MESSAGE', entry.line),
      this.#common,
      ...Object.entries(more).map(([field, value]) => fieldOf(field, value)),
    ]);
  }
}

/** Capital letters, digits and underscores, not beginning with one of the last two, and at most 64; "" when nothing is left. journald drops a field with another name. */
export function fieldName(key: string): string {
  return key
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_')
    .replace(/^[_0-9]+/, '')
    .slice(0, 64);
}

function fieldOf(field: string, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${field}\n`), length, bytes, Buffer.from('\n')]);
}
