import { invalidArgument } from '@gantry/sdk';
import type { IdMaps, IdRange } from '@gantry/sdk/linux';

const idCount = 2 ** 32 - 1;
const everybody: readonly IdRange[] = [{ inside: 0, outside: 0, size: idCount }];
/** The kernel's limit. */
const mostRanges = 340;

/**
 * `uids=DISK-SEEN-COUNT[#…];gids=…`, as podman's: owner DISK is seen as SEEN. Of users or groups that are not named each stays itself. `invalid_argument` names what is
 * wrong with it.
 */
export function parseIdMaps(text: string): IdMaps {
  const fail = failing(text);
  const found = new Map<string, readonly IdRange[]>();
  for (const part of text.split(';')) {
    const [, kind = '', ranges = ''] = /^(uids|gids)=(.+)$/.exec(part) ?? [];
    if (kind === '' || found.has(kind)) throw fail(`${JSON.stringify(part)} is not uids=… or gids=…, once each`);
    found.set(kind, parseRanges(ranges, fail));
  }
  return { uids: found.get('uids') ?? everybody, gids: found.get('gids') ?? everybody };
}

/** The same for a container with a user namespace of its own: SEEN is who it sees, and what its maps have no user for is nobody's. */
export function shownBy(seen: IdMaps, container: IdMaps | undefined): IdMaps {
  if (container === undefined) return seen;
  return { uids: through(seen.uids, container.uids), gids: through(seen.gids, container.gids) };
}

function through(first: readonly IdRange[], second: readonly IdRange[]): readonly IdRange[] {
  return first.flatMap(({ inside, outside, size }) =>
    second.flatMap((range): readonly IdRange[] => {
      const from = Math.max(outside, range.inside);
      const to = Math.min(outside + size, range.inside + range.size);
      return from >= to ? [] : [{ inside: inside + from - outside, outside: range.outside + from - range.inside, size: to - from }];
    }),
  );
}

/** `idmap` alone: every owner on the disk is that one of the container. Only a container with a user namespace of its own has others than the machine. */
export const ownIdMap = `uids=@0-0-${idCount};gids=@0-0-${idCount}`;

/** Refuses `ownIdMap` of a container that has the machine's user namespace. */
export function checkIdMaps(mounts: readonly { readonly idMaps?: string }[], { hasUserns }: { readonly hasUserns: boolean }): void {
  if (hasUserns || mounts.every(({ idMaps }) => idMaps !== ownIdMap)) return;
  throw failing('')(
    'the container has the machine’s own users, so it has to say which owner is seen as which, as in idmap=uids=0-1000-1;gids=0-1000-1',
  );
}

const failing = (text: string) => (reason: string) => invalidArgument(`invalid idmap ${JSON.stringify(text)}: ${reason}`);

function parseRanges(text: string, fail: (reason: string) => Error): readonly IdRange[] {
  const ranges = text.split('#').map((range): IdRange => {
    // Podman’s @ means relative to the container’s user namespace, as all are here.
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
