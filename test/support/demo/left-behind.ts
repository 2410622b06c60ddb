import { type Census, census, difference } from '../machine/census.ts';

/** What the demo left: what the engine keeps on purpose, by name, and everything else. */
export interface LeftBehind {
  readonly kept: readonly string[];
  readonly leaked: readonly string[];
}

/** Counts when made, and again when asked. The demo's own descriptors and handles are not the engine's. */
export class DemoCensus {
  readonly #folder: string;
  readonly #before: Census;

  constructor(folder: string) {
    this.#folder = folder;
    this.#before = this.#count();
  }

  compare(): LeftBehind {
    const { added, removed } = difference(this.#before, this.#count());
    const leaked = [
      ...added.filter((line) => keptBy(line) === undefined).map((line) => `+ ${line}`),
      ...removed.map((line) => `- ${line}`),
    ];
    return { kept: [...new Set(added.flatMap((line) => keptBy(line) ?? []))], leaked };
  }

  #count(): Census {
    return census({ roots: [this.#folder] }).filter((line) => !/^(descriptor|handle): /.test(line));
  }
}

/** The default bridge with its address, and rules that name nothing but it. */
const purposes: readonly (readonly [RegExp, string])[] = [
  [/^link: gantry0$|^address: gantry0 inet |^route: .* dev gantry0 /, 'the bridge gantry0'],
  [/^firewall: (?!elements )/, 'the nftables table inet gantry'],
  [/^firewall: elements = \{( ?([\d./]+ \. )?"gantry0"( \. "gantry0")?| [\d./]+)? \}$/, 'the nftables table inet gantry'],
  [/^cgroup: (\/\w+)?\/gantry$/, 'the cgroup gantry'],
];

function keptBy(line: string): string | undefined {
  return purposes.find(([pattern]) => pattern.test(line))?.[1];
}
