import { announce } from './announce.ts';
import { canonicalText, familiarText, parseTag } from './reference.ts';
import type { Parts } from './types.ts';

/** Gives what a name means, all platforms of it, one more name; what had that loses it. An id means one image. */
export function tagImage(parts: Parts, image: string, reference: string): void {
  const { row, reference: name } = parts.store.resolve(image);
  const tag = parseTag(reference);
  parts.store.change({
    add: [{ ...row, lastTagged: new Date().toISOString() }],
    name: new Map([[canonicalText(tag), (name && parts.store.targetOf(canonicalText(name))) ?? { image: row.id }]]),
  });
  announce(parts, 'tag', row.id, familiarText(tag));
}
