/** The same shape, where a field that may be left out may also be `undefined`, and the list `Holes` may have holes. */
export type Loose<T, Holes extends keyof T = never> = {
  readonly [K in keyof T]: K extends Holes ? LooseList<T[K]> : undefined extends T[K] ? T[K] | undefined : T[K];
};
type LooseList<T> = T extends readonly (infer Item)[] ? readonly (Item | undefined)[] | undefined : T;

/** Without the fields that are undefined: over the wire they would not be there either. */
export function tidy<T extends object>(value: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
