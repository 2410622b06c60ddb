import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bindMount, mount, openPath, umount2, unmountFlags } from '@gantry/sdk/linux';
import { closeSync, openSync } from 'node:fs';
import { type DockerMethod, Refusal } from './docker-plugin.ts';

/** A whole volume plugin as people write them for Docker: volumes are folders on a tmpfs, mounted for whoever asks, counted by id. */
export class DockerVolumePlugin implements Disposable {
  readonly #root: string;
  readonly #volumes = new Map<string, { readonly users: Set<string>; readonly createdAt: string }>();

  constructor(root: string) {
    this.#root = root;
    mkdirSync(join(root, 'store'), { recursive: true });
    mkdirSync(join(root, 'mnt'), { recursive: true });
    mount('tmpfs', join(root, 'store'), { type: 'tmpfs' });
  }

  readonly methods: Readonly<Record<string, DockerMethod>> = {
    'VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'global' } }),
    'VolumeDriver.Create': ({ Name, Opts }) => this.#create(String(Name), Object.keys(Opts ?? {})),
    'VolumeDriver.Remove': ({ Name }) => this.#remove(String(Name)),
    'VolumeDriver.Get': ({ Name }) => ({ Volume: this.#shown(String(Name)) }),
    'VolumeDriver.List': () => ({ Volumes: [...this.#volumes.keys()].map((name) => this.#shown(name)) }),
    'VolumeDriver.Path': ({ Name }) => ({ Mountpoint: this.#mountpoint(String(Name)) }),
    'VolumeDriver.Mount': ({ Name, ID }) => this.#mount(String(Name), String(ID)),
    'VolumeDriver.Unmount': ({ Name, ID }) => this.#unmount(String(Name), String(ID)),
  };

  users(name: string): readonly string[] {
    return [...(this.#volumes.get(name)?.users ?? [])];
  }

  [Symbol.dispose](): void {
    for (const name of readdirSync(join(this.#root, 'mnt'))) umount2(this.#mountpoint(name), unmountFlags.detach);
    umount2(join(this.#root, 'store'), unmountFlags.detach);
    rmSync(this.#root, { recursive: true });
  }

  #create(name: string, options: readonly string[]): object {
    const [unknown] = options.filter((option) => option !== 'colour');
    if (unknown !== undefined) throw new Refusal(`unknown option ${unknown}`);
    if (this.#volumes.has(name)) throw new Refusal(`volume ${name} already exists`);
    mkdirSync(join(this.#root, 'store', name));
    this.#volumes.set(name, { users: new Set(), createdAt: new Date().toISOString() });
    return {};
  }

  #remove(name: string): object {
    if (this.#require(name).users.size > 0) this.#release(name);
    rmSync(join(this.#root, 'store', name), { recursive: true });
    this.#volumes.delete(name);
    return {};
  }

  #mount(name: string, id: string): object {
    const { users } = this.#require(name);
    if (users.has(id)) throw new Refusal(`${id} has mounted ${name} before`);
    if (users.size === 0) {
      mkdirSync(this.#mountpoint(name));
      const source = openSync(join(this.#root, 'store', name), openPath);
      bindMount(source, this.#mountpoint(name), { recursive: false });
      closeSync(source);
    }
    users.add(id);
    return { Mountpoint: this.#mountpoint(name) };
  }

  #unmount(name: string, id: string): object {
    const { users } = this.#require(name);
    if (!users.delete(id)) throw new Refusal(`${id} has never mounted ${name}`);
    if (users.size === 0) this.#release(name);
    return {};
  }

  #release(name: string): void {
    umount2(this.#mountpoint(name), unmountFlags.detach);
    rmdirSync(this.#mountpoint(name));
  }

  #shown(name: string): object {
    const { createdAt, users } = this.#require(name);
    return { Name: name, Mountpoint: users.size > 0 ? this.#mountpoint(name) : '', CreatedAt: createdAt, Status: { backing: 'tmpfs' } };
  }

  #mountpoint(name: string): string {
    return join(this.#root, 'mnt', name);
  }

  #require(name: string) {
    const found = this.#volumes.get(name);
    if (found === undefined) throw new Refusal(`no such volume: ${name}`);
    return found;
  }
}
