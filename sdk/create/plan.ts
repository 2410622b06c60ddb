/** What is to be made. */
export interface Plan {
  readonly name: string;
  readonly kind: 'volume' | 'graph' | 'network' | 'ipam' | 'log' | 'exec';
}
export interface File {
  readonly text: string;
  readonly mode?: number;
}
export type Files = Readonly<Record<string, File>>;

export interface Language {
  /** The module that the manifest names. */
  readonly entry: string;
  readonly test: string;
  readonly kinds: readonly Plan['kind'][];
  /** Beyond what all have. */
  readonly files: (plan: Plan) => Files;
}
