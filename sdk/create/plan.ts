import type { Manifest } from '../manifest.ts';

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
  /** For people: "Go". */
  readonly title: string;
  readonly kinds: readonly Plan['kind'][];
  /** What the manifest says of how it is run, and of what it asks for. */
  readonly manifest: (plan: Plan) => Pick<Manifest, 'entry'> & Partial<Manifest>;
  /** What package.json says beyond what all have. `npm test` proves the plugin in every language, `npm run build` is there where one has to. */
  readonly packageJson: PackageFacts;
  /** What each file is for, in the order to read them. */
  readonly guide: (plan: Plan) => readonly (readonly [file: string, what: string])[];
  /** What else its author should know at once. */
  readonly note?: (plan: Plan) => string | undefined;
  /** Made by its tools: not for git. */
  readonly ignored?: readonly string[];
  /** What CI installs before npm does. */
  readonly setUp?: string;
  /** Beyond what all have. */
  readonly files: (plan: Plan) => Files;
}

interface PackageFacts {
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  /** What is published, and so packed, though git may ignore it: all that runs. */
  readonly files: readonly string[];
}

/** For people: "an ipam", "a log". */
export function article(kind: string): string {
  return /^[aei]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
