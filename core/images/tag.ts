import { announce } from './announce.ts';
import { canonicalText, familiarText, parseTag } from './reference.ts';
import type { Parts } from './types.ts';

/** Gives an image one more name; another image that had it loses it. */
export function tagImage(parts: Parts, image: string, reference: string): void {
  const { row } = parts.store.resolve(image);
  const tag = parseTag(reference);
  parts.store.change({
    add: [{ ...row, lastTagged: new Date().toISOString() }],
    name: new Map([[canonicalText(tag), row.id]]),
  });
  announce(parts, 'tag', row.id, familiarText(tag));
}
