import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from './runtimes.ts';

/** What of config.json matters here. */
export interface BundleSpec {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly process?: { readonly args?: readonly string[]; readonly user?: { readonly uid?: number; readonly gid?: number } };
  readonly hooks?: unknown;
  readonly linux?: {
    readonly cgroupsPath?: unknown;
    readonly seccomp?: unknown;
    readonly namespaces?: readonly { readonly type?: string }[];
  };
}

/**
 * Compiled seccomp filters of crun, by profile. Compiling Docker's table takes crun longer than all else it does for a container; it leaves
 * the result in its state folder (for execs), and takes one that is handed over in an annotation. The profile stays in the bundle, so a
 * version that does not know the annotation compiles it as before.
 */
export class SeccompCache {
  readonly #compiled = new Map<string, string>();

  /** The annotations that spare the compilation, if this profile was compiled before by the same runtime on the same kernel. */
  annotations(runtime: Runtime, spec: BundleSpec): Readonly<Record<string, string>> | undefined {
    const compiled = isCached(runtime, spec) ? this.#compiled.get(keyOf(runtime, spec)) : undefined;
    return compiled === undefined ? undefined : { 'run.oci.seccomp_bpf_data': compiled };
  }

  /** Takes over what the runtime compiled for a container it has just made. */
  learn(runtime: Runtime, spec: BundleSpec, stateFolder: string): void {
    if (!isCached(runtime, spec) || this.#compiled.has(keyOf(runtime, spec))) return;
    const filter = readFilter(join(stateFolder, 'seccomp.bpf'));
    if (filter === undefined) return;
    if (this.#compiled.size >= mostProfiles) this.#compiled.clear();
    this.#compiled.set(keyOf(runtime, spec), filter);
  }
}

/** Profiles of users can be many; nearly all containers share one. */
const mostProfiles = 64;

function isCached({ kind }: Runtime, { linux }: BundleSpec): boolean {
  return kind === 'crun' && linux?.seccomp !== undefined;
}

function keyOf({ path, version }: Runtime, { linux }: BundleSpec): string {
  const facts = [path, version, release(), process.arch, JSON.stringify(linux?.seccomp)];
  return createHash('sha256').update(facts.join('\0')).digest('hex');
}

/** struct sock_filter is 8 bytes; anything else is no filter. */
function readFilter(path: string): string | undefined {
  try {
    const bytes = readFileSync(path);
    return bytes.length > 0 && bytes.length % 8 === 0 ? bytes.toString('base64') : undefined;
  } catch {
    return undefined;
  }
}
