import { invalidArgument } from '@gantry/sdk';
import type { IdRange } from '@gantry/sdk/linux';

/** How owners on the disk are seen in a container: what is in no range is nobody's there. */
export interface IdMaps {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

const idCount = 2 ** 32 - 1;
const everybody: readonly IdRange[] = [{ inside: 0, outside: 0, size: idCount }];
/** The kernel's limit. */
const mostRanges = 340;

/**
 * `uids=DISK-SEEN-COUNT[#…];gids=…`, as podman's: owner DISK is seen as SEEN. Of users or groups that are not named each stays itself. `invalid_argument` names what is
 * wrong with it.
 */
export function parseIdMaps(text: string): IdMaps {
  const fail = (reason: string) => invalidArgument(`invalid idmap ${JSON.stringify(text)}: ${reason}`);
  if (text === '')
    throw fail(
      'containers have the machine’s own users here, so it has to say which owner is seen as which, as in idmap=uids=0-1000-1;gids=0-1000-1',
    );
  const found = new Map<string, readonly IdRange[]>();
  for (const part of text.split(';')) {
    const [, kind = '', ranges = ''] = /^(uids|gids)=(.+)$/.exec(part) ?? [];
    if (kind === '' || found.has(kind)) throw fail(`${JSON.stringify(part)} is not uids=… or gids=…, once each`);
    found.set(kind, parseRanges(ranges, fail));
  }
  return { uids: found.get('uids') ?? everybody, gids: found.get('gids') ?? everybody };
}

function parseRanges(text: string, fail: (reason: string) => Error): readonly IdRange[] {
  const ranges = text.split('#').map((range): IdRange => {
    // Podman’s @ means relative to the container’s user namespace, which is the machine’s.
    const [, inside = '', outside = '', size = ''] = /^@?(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range) ?? [];
    const numbers = { inside: Number(inside), outside: Number(outside), size: Number(size) };
    if (inside === '' || numbers.size === 0 || Math.max(numbers.inside, numbers.outside) + numbers.size > idCount)
      throw fail(`${JSON.stringify(range)} is not DISK-SEEN-COUNT with ids below ${idCount}`);
    return numbers;
  });
  if (ranges.length > mostRanges) throw fail(`${ranges.length} ranges are more than ${mostRanges}`);
  for (const side of ['inside', 'outside'] as const) {
    const sorted = ranges.toSorted((a, b) => a[side] - b[side]);
    const at = sorted.findIndex(
      (range, index) => index > 0 && range[side] < (sorted[index - 1]?.[side] ?? 0) + (sorted[index - 1]?.size ?? 0),
    );
    if (at > 0) throw fail('two of its ranges overlap');
  }
  return ranges;
}
