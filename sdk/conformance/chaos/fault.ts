/** What a call between the engine and a plugin may meet. */
export type Fault =
  /** The answer comes later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection ends before the plugin has seen the call. */
  | { readonly kind: 'lose-call' }
  /** The plugin does it, and the connection ends before its answer is there; of a stream, after the first answer. */
  | { readonly kind: 'lose-answer' }
  /** The connection ends while the plugin is at it, which cancels the call there. */
  | { readonly kind: 'cut'; readonly afterMs: number }
  /** The plugin gets it twice: once more after the answer, or at the same time. The caller hears the last answer. */
  | { readonly kind: 'duplicate'; readonly together?: boolean }
  /** The answer's frame ends in its middle, and the connection with it. */
  | { readonly kind: 'truncate' }
  /** Answers of this many calls under way wait for each other; the last comes first. */
  | { readonly kind: 'reorder'; readonly calls: number };

export type FaultKind = Fault['kind'];

/** Patterns of names, as "volume.*". */
export function matches(name: string, pattern: string): boolean {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => RegExp.escape(part))
      .join('.*')}$`,
  ).test(name);
}
