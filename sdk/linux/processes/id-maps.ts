/** One line of a user namespace's map, user_namespaces(7): so many ids from the first one on are the ones from the second on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

/** Of users and of groups. */
export interface IdMaps {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** The machine's user (or group) that a user namespace has as this one; undefined: it has none such. */
export function outsideId(inside: number, ranges: readonly IdRange[]): number | undefined {
  const range = ranges.find((candidate) => inside >= candidate.inside && inside - candidate.inside < candidate.size);
  return range && range.outside + inside - range.inside;
}

/** The other way round. */
export function insideId(outside: number, ranges: readonly IdRange[]): number | undefined {
  const range = ranges.find((candidate) => outside >= candidate.outside && outside - candidate.outside < candidate.size);
  return range && range.inside + outside - range.outside;
}

/** The machine's user and group that are root in a user namespace; root itself where it has no root. */
export function rootOf({ uids, gids }: IdMaps): { readonly uid: number; readonly gid: number } {
  return { uid: outsideId(0, uids) ?? 0, gid: outsideId(0, gids) ?? 0 };
}
