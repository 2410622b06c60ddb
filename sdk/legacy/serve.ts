import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type GantryError, invalidArgument, messageOf } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { MountGrants } from '../mounts/index.ts';
import type { PluginModule } from '../plugin.ts';
import type { Logger } from '../types/index.ts';
import { dockerDrivers } from './drivers.ts';
import type { Fronts } from './fronts.ts';
import { listen, type Method } from './http.ts';
import type { SettingTexts } from './settings.ts';
import { dockerKinds } from './wire.ts';

export interface DockerServeOptions {
  /** Asked after it listens: dockerd looks half a second after the start, and then not before three seconds later. */
  readonly load: () => Promise<PluginModule>;
  readonly manifest: Manifest;
  /** Of its code. */
  readonly dir: string;
  readonly socketPath: string;
  /** The plugin's folder, kept; what it mounts is mounted in it, so engines must see it by the same path or know where it is for them. */
  readonly root: string;
  readonly settings: SettingTexts;
  /** One engine uses it, as a managed plugin; otherwise what is mounted for one is not removed because another asks. */
  readonly isExclusive?: boolean;
  readonly log: Logger;
}

/** A failure to activate is not tried again sooner. */
const pauseMs = 1_000;

/**
 * Serves a plugin as Docker's, by JSON over a unix socket, for dockerd, podman and whoever else speaks it. It listens at once; a plugin that lacks a
 * setting, or cannot be activated, says so to each call until it can. `not_implemented` for one that Docker cannot use. Disposing ends what is under way.
 */
export async function serveDocker(options: DockerServeOptions): Promise<AsyncDisposable> {
  const { manifest, socketPath, root, log } = options;
  const drivers = dockerDrivers(manifest);
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const ending = new AbortController();
  const activator = new Activator(() => activate(options, ending.signal));
  const implemented = drivers.map(({ kind }) => dockerKinds[kind].service);
  const own: Readonly<Record<string, Method>> = { 'Plugin.Activate': async () => ({ Implements: implemented }) };
  await using undo = new AsyncDisposableStack();
  undo.defer(() => ending.abort(new DOMException('the plugin is ending', 'AbortError')));
  undo.use(activator);
  undo.use(
    await listen({
      socketPath,
      log,
      find: async (name) => {
        if (Object.hasOwn(own, name)) return own[name];
        const { methods } = await activator.get();
        return Object.hasOwn(methods, name) ? methods[name] : undefined;
      },
    }),
  );
  // What an earlier process left is taken over now, not at the first call.
  await activator.get().catch((error: unknown) => log.error(`the plugin cannot work yet: ${messageOf(error)}`));
  return undo.move();
}

async function activate(
  { load, manifest, dir, root, settings, isExclusive = false, log }: DockerServeOptions,
  signal: AbortSignal,
): Promise<Fronts> {
  const [{ openFronts }, { standaloneHost }, { settle }] = await Promise.all([
    import('./fronts.ts'),
    import('./host.ts'),
    import('./settings.ts'),
  ]);
  const { problems, ...settled } = settle(manifest, settings);
  if (problems.length > 0) throw lacking(manifest, problems);
  const host = standaloneHost({ ...settled, name: manifest.name, root, runDir: join(root, 'run'), log, signal });
  const grants = grantsOf(manifest, { dir, dataDir: host.dataDir });
  return openFronts({ module: await load(), drivers: dockerDrivers(manifest), host, root, grants, isExclusive, log });
}

/** Whoever installed it was shown what its manifest asks for. */
function grantsOf({ name, privileges = {} }: Manifest, { dir, dataDir }: { readonly dir: string; readonly dataDir: string }): MountGrants {
  const { mountTypes = [], hostPaths = [], devices = [], capabilities = [] } = privileges;
  return { plugin: name, dataDir, mountTypes, hostPaths, devices, helpers: { codeDir: dir, uid: 0, capabilities } };
}

function lacking({ name }: Manifest, problems: readonly string[]): GantryError {
  const setting = /^setting (\S+)/.exec(problems[0] ?? '')?.[1] ?? '';
  return invalidArgument(`plugin ${name}: ${problems.join('; ')}`, {
    hint: `docker plugin disable PLUGIN, docker plugin set PLUGIN ${setting}=…, docker plugin enable PLUGIN`,
  });
}

/** Activates once; after a failure again, but not all the time. */
class Activator implements AsyncDisposable {
  readonly #activate: () => Promise<Fronts>;
  #fronts: Promise<Fronts> | undefined;

  constructor(make: () => Promise<Fronts>) {
    this.#activate = make;
  }

  get(): Promise<Fronts> {
    if (this.#fronts !== undefined) return this.#fronts;
    const fronts = this.#activate();
    this.#fronts = fronts;
    fronts.catch(() => setTimeout(() => (this.#fronts = undefined), pauseMs).unref());
    return fronts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const fronts = await this.#fronts?.catch(() => undefined);
    await fronts?.[Symbol.asyncDispose]();
  }
}
