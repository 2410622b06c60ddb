import { refuse } from './refuse.ts';

export interface ReferenceParts {
  /** With registry and path, or an id. */
  readonly name: string;
  /** A tag, or "sha256:…". */
  readonly tag: string | undefined;
}

/** "busybox", "reg:5000/a/b:tag", "busybox@sha256:…" taken apart; the server checks the rest. */
export function splitReference(text: string): ReferenceParts {
  if (text === '' || /\s/.test(text)) throw refuse(text, 'is not an image reference');
  const [name = '', digest] = text.split('@', 2);
  if (digest !== undefined) return { name, tag: digest };
  const [, path = name, tag] = /^(.+):([^/:]+)$/.exec(name) ?? [];
  return { name: path, tag };
}
