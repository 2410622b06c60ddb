import type { Abortable, Logger, Manifest } from '@gantry/sdk';
import type { PluginProgress } from '@gantry/sdk/engine';
import type { RegistryAuth } from '@gantry/sdk/transport';
import type { Drivers } from '../drivers/index.ts';

/** Work on trees in threads that cannot leave them: the layers room's `TreeWorkers`. */
export interface Trees {
  /** Unpacks a tar, compressed or not, below root. */
  run(
    name: 'unpack',
    job: {
      readonly root: string;
      readonly path: string;
      readonly rules: {
        readonly whiteouts: 'plain' | 'none';
        readonly owner?: { readonly uid: number; readonly gid: number };
      };
    },
    streams: { readonly input: AsyncIterable<Buffer> } & Abortable,
  ): Promise<unknown>;
  /** Sends a tar of everything below root, which does not depend on when it is made. */
  run(
    name: 'pack',
    job: { readonly root: string; readonly path: string; readonly rebase?: string },
    streams: { readonly output: (chunk: Buffer) => Promise<void> | void } & Abortable,
  ): Promise<unknown>;
  /** Deletes what is at a path below root, whole; not what something is mounted in. */
  run(name: 'remove', job: { readonly root: string; readonly path: string }, streams?: Abortable): Promise<unknown>;
  /** Everything on the file system of this descriptor is on the disk when it resolves. */
  run(name: 'sync', job: { readonly fd: number }, streams?: Abortable): Promise<unknown>;
}

/** How to call the machine's npm. */
export interface NpmOptions {
  /** npm-cli.js; found beside this Node or in the usual places unless given. */
  readonly program?: string;
  /** All that the child gets to see of the environment, besides what is needed: proxies, certificates, npm_config_registry. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What this room needs of others. */
export interface InstallTools {
  readonly drivers: Pick<Drivers, 'get' | 'preferred'>;
  readonly trees: Trees;
  readonly log: Logger;
  readonly npm?: NpmOptions | undefined;
}

export interface FetchOptions extends Abortable {
  /** What a Docker plugin, and so its drivers, are to be called; as its reference unless given. */
  readonly name?: string | undefined;
  readonly auth?: RegistryAuth | undefined;
  readonly onProgress?: ((progress: PluginProgress) => void) | undefined;
}

/** A plugin on the disk. */
export interface FetchedPlugin {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Of the manifest at a registry, of the tarball, or of the folder's content. */
  readonly digest: string;
  /** Normalised and pinned: "npm:name@1.2.3", "oci:host/name:tag@sha256:…", "folder:/path". */
  readonly source: string;
  /** Of a Docker managed plugin: config.json as it came. Its file system is `<dir>/rootfs`. */
  readonly dockerConfig?: unknown;
}
