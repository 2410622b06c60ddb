import { statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { type HostContext, invalidArgument, messageOf, unavailable } from '@gantry/sdk';
import type { RuntimeCommand } from '@gantry/sdk/exec';
import { cgroupLayout } from './cgroups/hierarchies.ts';
import type { Layout } from './layout.ts';
import { searchPath } from './monitor.ts';
import { probeRuntime } from './probe.ts';
import { knownVulnerability } from './vulnerable.ts';

export interface Runtime {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  /** Whose state files it keeps; of `other` nothing is known. */
  readonly kind: 'crun' | 'runc' | 'other';
  /** Its --root. */
  readonly root: string;
  /** Global options that come before everything else. */
  readonly options: readonly string[];
  readonly warning?: string | undefined;
}
interface Verdict {
  readonly version?: string;
  readonly kind?: Runtime['kind'];
  readonly reason?: string;
}
export interface RuntimesFound {
  readonly usable: readonly Runtime[];
  readonly unusable: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Which runtimes work on this machine. Each is tried for real once, and the verdict kept by the binary's path, size and time and by the
 * layout of the cgroups, so that a start forks nothing.
 */
export class Runtimes {
  readonly #host: HostContext;
  readonly #layout: Layout;
  readonly #described = new Map<string, Promise<Runtime>>();
  #found: Promise<RuntimesFound> | undefined;

  constructor(host: HostContext, layout: Layout) {
    this.#host = host;
    this.#layout = layout;
  }

  found(): Promise<RuntimesFound> {
    this.#found ??= this.#find().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  /** The runtime by name, or the default. Not installed: `invalid_argument`; none usable: `unavailable` with each one's reason. */
  async get(name?: string): Promise<Runtime> {
    const { usable, unusable } = await this.found();
    const wanted = name ?? textSetting(this.#host, 'defaultRuntime');
    const runtime = wanted === undefined || wanted === '' ? usable[0] : usable.find((one) => one.name === wanted);
    if (runtime !== undefined) return runtime;
    const reason = unusable.find((one) => one.name === wanted)?.reason;
    if (reason !== undefined) throw unavailable(`runtime ${wanted} does not work here: ${reason}`);
    if (wanted !== undefined && wanted !== '') throw invalidArgument(`unknown or invalid runtime name: ${wanted}`);
    const reasons = unusable.map((one) => `${one.name}: ${one.reason}`).join('; ');
    throw unavailable(reasons === '' ? 'no OCI runtime is installed' : `no OCI runtime works here: ${reasons}`, {
      hint: 'install crun or runc',
    });
  }

  /** A runtime that another driver described. One that does not work: `unavailable` with the reason. */
  described(command: RuntimeCommand): Promise<Runtime> {
    const key = JSON.stringify(command);
    const known = this.#described.get(key);
    if (known !== undefined) return known;
    const found = this.#describedNow(command);
    this.#described.set(key, found);
    // It may be installed anew, or repaired.
    found.catch(() => this.#described.delete(key));
    return found;
  }

  conmon(): string {
    const wanted = textSetting(this.#host, 'conmon');
    const path = findProgram(wanted ?? 'conmon', [
      '/usr/libexec/podman',
      '/usr/lib/podman',
      '/usr/libexec/crio',
      '/usr/local/libexec/podman',
    ]);
    if (path === undefined) throw unavailable(`${wanted ?? 'conmon'} is not installed`, { hint: 'install the package conmon' });
    return path;
  }

  async #describedNow({ program: path, arguments: options }: RuntimeCommand): Promise<Runtime> {
    const name = [path, ...options].join(' ');
    if (!isFile(path)) throw unavailable(`runtime ${name} is not installed`);
    const { version = '', kind = 'other', reason } = await this.#verdict({ path, options });
    if (reason !== undefined) throw unavailable(`runtime ${name} does not work here: ${reason}`);
    return { name, path, version, kind, root: this.#layout.runtimeRoot, options };
  }

  async #find(): Promise<RuntimesFound> {
    const wanted = new Map([
      ['crun', { program: 'crun', options: [] }],
      ['runc', { program: 'runc', options: [] }],
      ...furtherRuntimes(this.#host),
    ]);
    const usable: Runtime[] = [];
    const unusable: { name: string; reason: string }[] = [];
    for (const [name, { program, options }] of wanted) {
      const path = findProgram(program);
      const {
        version = '',
        kind = 'other',
        reason,
      } = path === undefined ? { reason: 'is not installed' } : await this.#verdict({ path, options });
      if (path === undefined || reason !== undefined) unusable.push({ name, reason: reason ?? '' });
      else usable.push({ name, path, version, kind, root: this.#layout.runtimeRoot, options, warning: knownVulnerability(kind, version) });
    }
    return { usable, unusable };
  }

  async #verdict({ path, options }: Pick<Runtime, 'path' | 'options'>): Promise<Verdict> {
    const { size, mtimeMs } = statSync(path);
    const key = ['runtime', path, ...options].join(' ').slice(0, 256);
    const facts = `${size} ${mtimeMs} ${cgroupLayout()}`;
    const known = parseVerdict((await this.#host.state.get(key))?.value);
    if (known?.facts === facts) return known.verdict;
    const verdict = await probeRuntime({ path, options }, this.#layout.runDir).catch((error: unknown) => ({ reason: messageOf(error) }));
    await this.#host.state.put([{ key, value: JSON.stringify({ facts, verdict }) }]);
    return verdict;
  }
}

interface Wanted {
  readonly program: string;
  readonly options: readonly string[];
}

/** By name a path, or one with options in dockerd's words: `{ path, runtimeArgs }`. */
function furtherRuntimes({ config: { runtimes = {} } }: HostContext): [string, Wanted][] {
  if (typeof runtimes !== 'object' || runtimes === null) throw invalidArgument('setting "runtimes" must be an object');
  return Object.entries(runtimes).map(([name, given]: [string, unknown]) => {
    const { path, runtimeArgs = [] } = (typeof given === 'string' ? { path: given } : (given ?? {})) as Record<string, unknown>;
    if (typeof path !== 'string' || path === '') throw invalidArgument(`runtime ${name} needs a path`);
    if (!Array.isArray(runtimeArgs)) throw invalidArgument(`runtimeArgs of runtime ${name} must be a list`);
    return [name, { program: path, options: runtimeArgs.map(String) }];
  });
}

function findProgram(program: string, further: readonly string[] = []): string | undefined {
  if (isAbsolute(program)) return isFile(program) ? program : undefined;
  return [...searchPath.split(delimiter), ...further].map((folder) => join(folder, program)).find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function textSetting({ config }: HostContext, name: string): string | undefined {
  const value = config[name];
  return typeof value === 'string' ? value : undefined;
}

function parseVerdict(value: string | undefined): { readonly facts: string; readonly verdict: Verdict } | undefined {
  return value === undefined ? undefined : (JSON.parse(value) as { readonly facts: string; readonly verdict: Verdict });
}
