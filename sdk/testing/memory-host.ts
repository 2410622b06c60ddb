import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problemsOf, type Schema, secretNames, withDefaults } from '../author/index.ts';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { HostContext, Report } from '../plugin.ts';
import { type CapturedLine, capturedLog } from './captured-log.ts';
import { MemoryState } from './memory-state.ts';

export interface MemoryHostOptions {
  /** Checked against the manifest's schema; those that it marks `x-secret` go to `secrets`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Answers of `lookup`, by "kind/id". */
  readonly facts?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Where its folders are made; the system's folder for temporary files unless given. */
  readonly root?: string;
}

/** What the engine is for one plugin, in memory and in a temporary folder that goes when it is disposed. */
export class MemoryHost implements Disposable {
  readonly manifest: Manifest;
  readonly state = new MemoryState();
  readonly log: CapturedLine[] = [];
  readonly reports: Report[] = [];
  readonly #options: MemoryHostOptions;
  readonly #folder: string;

  constructor(manifest: Manifest, options: MemoryHostOptions = {}) {
    this.manifest = manifest;
    this.#options = options;
    this.#folder = mkdtempSync(join(options.root ?? tmpdir(), 'gantry-plugin-'));
    for (const name of ['data', 'run']) mkdirSync(join(this.#folder, name), { mode: 0o700 });
  }

  /** For one start of the plugin. */
  context(signal: AbortSignal): HostContext {
    const { manifest, state, log, reports } = this;
    const { facts = {}, settings = {} } = this.#options;
    return {
      name: manifest.name,
      ...settingsOf(manifest, settings),
      dataDir: join(this.#folder, 'data'),
      runDir: join(this.#folder, 'run'),
      state,
      log: capturedLog(log, { plugin: manifest.name }),
      lookup: async (kind, id) => facts[`${kind}/${id}`],
      subscribe: async function* () {},
      report: async (report) => void reports.push(report),
      removeData: async (path) => rmSync(join(this.#folder, 'data', path), { recursive: true, force: true }),
      signal,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As the engine does it: checked, defaults filled in, secrets apart. A setting that is missing is told by the plugin's self-test. */
function settingsOf(manifest: Manifest, given: Readonly<Record<string, unknown>>): Pick<HostContext, 'config' | 'secrets'> {
  const schema: Schema = manifest.settings ?? {};
  const filled = withDefaults(schema, given);
  const [problem] = problemsOf(schema, filled).filter(({ message }) => message !== 'is missing');
  if (problem !== undefined) throw invalidArgument(`setting ${problem.path} ${problem.message}`, { reason: 'SETTING_INVALID' });
  const hidden = secretNames(schema);
  const entries = Object.entries(filled);
  return {
    config: Object.fromEntries(entries.filter(([name]) => !hidden.includes(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => hidden.includes(name)).map(([name, value]) => [name, String(value)])),
  };
}
