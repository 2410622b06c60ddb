import type { Check, HostContext, Problem, StateStore } from '../plugin.ts';
import type { Ctx, Logger } from '../types/index.ts';
import { problemsOf, secretNames, withDefaults } from './check.ts';
import { type DataFolder, openData } from './data.ts';
import { Http } from './http.ts';
import { type ObjectSchema, objectSchema, type Properties, type PropertiesOf } from './schema.ts';

/** What every function of an author gets last. */
export interface Tools<S = Readonly<Record<string, unknown>>> {
  /** Aborted when the caller went away or the deadline passed. Pass it on to what waits. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly settings: S;
  readonly data: DataFolder;
  readonly state: StateStore;
  /** A client for JSON over HTTP; the settings `url` and `token`, if there are, are where it goes and how it identifies itself. */
  readonly http: Http;
  readonly host: HostContext;
}

/** The tools of one start of a plugin. */
export class Toolbox<S extends Properties> {
  readonly host: HostContext;
  readonly #schema: ObjectSchema;
  #settings: PropertiesOf<S>;
  #data: DataFolder | undefined;

  constructor(host: HostContext, settings: ObjectSchema<S> | S | undefined) {
    this.host = host;
    this.#schema = objectSchema(settings);
    this.#settings = this.#filled(host.config, host.secrets);
  }

  for({ signal, log }: Pick<Ctx, 'signal' | 'log'>): Tools<PropertiesOf<S>> {
    const { host } = this;
    const settings = this.#settings;
    const data = (): DataFolder => (this.#data ??= openData(host.dataDir, host));
    return {
      signal,
      log,
      settings,
      host,
      state: host.state,
      get data() {
        return data();
      },
      get http() {
        return new Http({ settings, signal });
      },
    };
  }

  /** Takes new settings, or says what is wrong with them and keeps the old ones. */
  configure(config: HostContext['config'], secrets: HostContext['secrets']): readonly Problem[] {
    const filled = this.#filled(config, secrets);
    const problems = problemsOf(this.#schema, filled);
    if (!problems.some(({ fatal }) => fatal)) this.#settings = filled;
    return problems;
  }

  /** A plugin whose settings are wrong starts, so that it can be configured, and fails this check. */
  check(): Check {
    const [problem] = problemsOf(this.#schema, this.#settings);
    if (problem === undefined) return { name: 'settings', ok: true, message: 'complete', hint: '' };
    const { path, message } = problem;
    return { name: 'settings', ok: false, message: `setting ${path} ${message}`, hint: `gantry plugin set ${this.host.name} ${path}=…` };
  }

  #filled(config: HostContext['config'], secrets: HostContext['secrets'] = {}): PropertiesOf<S> {
    const hidden = secretNames(this.#schema);
    const known = Object.entries(secrets).filter(([name]) => hidden.includes(name));
    return withDefaults(this.#schema, { ...config, ...Object.fromEntries(known) }) as PropertiesOf<S>;
  }
}
