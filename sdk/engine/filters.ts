/** What users filter lists and prunes by: a key's values are alternatives, keys are all required. Unknown keys: `invalid_argument` "invalid filter 'x'". */
export type Filters = Readonly<Record<string, readonly string[]>>;
export interface Filtered {
  readonly filters?: Filters;
}
