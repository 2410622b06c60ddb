import { dirname, join } from 'node:path';

/** Where this room keeps the files of a container: those that are mounted into it below the data root, those of one run below the exec root. */
export class Folders {
  readonly #dataRoot: string;
  readonly #execRoot: string;

  constructor({ dataRoot, execRoot }: { readonly dataRoot: string; readonly execRoot: string }) {
    this.#dataRoot = join(dataRoot, 'containers');
    // Not `containers`: mounts of layers lie there, and what is removed here is removed with all it holds.
    this.#execRoot = join(execRoot, 'bundles');
  }

  get data(): string {
    return this.#dataRoot;
  }

  get exec(): string {
    return this.#execRoot;
  }

  container(id: string): string {
    return join(this.#dataRoot, id);
  }

  files(id: string): { readonly hostname: string; readonly hosts: string; readonly resolvConf: string } {
    const folder = this.container(id);
    return { hostname: join(folder, 'hostname'), hosts: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf') };
  }

  /** The OCI bundle of the current run. */
  bundle(id: string): string {
    return join(this.#execRoot, id);
  }

  /** Where parts of volumes are shown to the runtime for the moment of a start. */
  get staged(): string {
    return join(dirname(this.#execRoot), 'staged');
  }

  execBundle(id: string, execId: string): string {
    return join(this.bundle(id), 'execs', execId.slice(0, 16));
  }
}
