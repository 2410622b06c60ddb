import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeyedQueue } from '../author/keyed-queue.ts';
import { Records } from '../author/records.ts';
import { codeOf, conflict, invalidArgument } from '../errors.ts';
import { isMounted, type MountGrants } from '../mounts/index.ts';
import type { StateStore } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { Volume, VolumeDriver } from '../volume/contract.ts';
import { type Body, given, text, texts } from './body.ts';
import type { Methods } from './http.ts';
import type { Helpers } from './helpers.ts';
import { doesAnswer, makeVolume, plainFolder, removeVolume } from './make-mounts.ts';

/** One `Mount` of Docker's, by its id. */
interface Use {
  readonly attachmentId: string;
  /** Where it is; absent while it is being made. */
  readonly path?: string;
  /** Ours to unmount. */
  readonly isMounted?: boolean;
  /** A helper answers for it, which ended with the process that started it. */
  readonly hasHelper?: boolean;
  readonly context?: Readonly<Record<string, string>>;
}
interface VolumeRecord {
  /** What it was made with: a driver gets them with every attach. */
  readonly options: Readonly<Record<string, string>>;
  readonly uses: Readonly<Record<string, Use>>;
}

export interface VolumeFrontOptions {
  readonly driver: VolumeDriver;
  /** The front's own, not the plugin's. */
  readonly state: StateStore;
  /** What the plugin was granted by whoever installed it. */
  readonly grants: MountGrants;
  readonly helpers: Helpers;
  /** Mount points are made in it; the engine sees what is mounted there. */
  readonly mountDir: string;
  /** One engine uses it, and asks to remove only what it knows to be unused: after it was killed it does not say that what it had mounted is not any more. */
  readonly isExclusive: boolean;
  readonly ctx: (signal: AbortSignal) => Ctx;
}

/**
 * `VolumeDriver.*` over a driver that describes. The same id mounts once however often it is asked for, a volume that may be shared is mounted once for
 * all its ids, and the last `Unmount` undoes it. What was mounted is on the disk before it is done, so that another process of this plugin takes it over.
 */
export class VolumeFront {
  readonly #options: VolumeFrontOptions;
  readonly #records: Records<VolumeRecord>;
  readonly #queue = new KeyedQueue();

  constructor(options: VolumeFrontOptions) {
    this.#options = options;
    this.#records = new Records(options.state, 'volume/');
    mkdirSync(options.mountDir, { recursive: true });
  }

  readonly methods: Methods = {
    'VolumeDriver.Capabilities': async (_, signal) => ({ Capabilities: { Scope: await this.#scope(signal) } }),
    'VolumeDriver.Create': (body, signal) => this.#onVolume(body, signal, (name) => this.#create(name, texts(body, 'Opts'), signal)),
    'VolumeDriver.Remove': (body, signal) => this.#onVolume(body, signal, (name) => this.#remove(name, signal)),
    'VolumeDriver.Mount': (body, signal) =>
      this.#onVolume(body, signal, async (name) => ({ Mountpoint: await this.#mount(name, text(body, 'ID'), signal) })),
    'VolumeDriver.Unmount': (body, signal) => this.#onVolume(body, signal, (name) => this.#unmount(name, text(body, 'ID'), signal)),
    'VolumeDriver.Path': async (body) => ({ Mountpoint: await this.#path(nameIn(body)) }),
    'VolumeDriver.Get': async (body, signal) => {
      const { volume } = await this.#options.driver.stat({ name: nameIn(body) }, this.#options.ctx(signal));
      return { Volume: await this.#shown(volume) };
    },
    'VolumeDriver.List': async (_, signal) => {
      const shown: object[] = [];
      for await (const volume of this.#options.driver.list({}, this.#options.ctx(signal))) shown.push(await this.#shown(volume));
      return { Volumes: shown };
    },
  };

  /**
   * What another process left: mounts that are there stay in use, those of before the last boot are let go of, half-made ones and what nobody has
   * a record of are undone.
   */
  async recover(signal: AbortSignal): Promise<void> {
    const { mountDir } = this.#options;
    const kept = new Set<string>();
    for (const { id: name, value } of await this.#records.list()) {
      for (const [id, use] of Object.entries(value.uses)) {
        const isThere = use.path !== undefined && (use.isMounted !== true || isMounted(use.path));
        if (isThere && use.path !== undefined) {
          kept.add(use.path);
          if (use.hasHelper === true) await this.#tried(() => this.#mountAnew(name, id, use, signal), { volume: name, id });
        } else await this.#tried(() => this.#letGo(name, id, use, signal), { volume: name, id });
      }
    }
    for (const entry of readdirSync(mountDir)) {
      const path = join(mountDir, entry);
      if (!kept.has(path)) await this.#tried(() => removeVolume(path, this.#options.helpers), { path });
    }
  }

  /** When its helper went with the process that started it. Containers that have it do not see the new mount; the next that start do. */
  async #mountAnew(name: string, id: string, { path = '' }: Use, signal: AbortSignal): Promise<void> {
    if (await doesAnswer(path)) return;
    await removeVolume(path, this.#options.helpers);
    await this.#mount(name, id, signal);
  }

  /** Looks at no file in it: whose helper hangs is mounted all the same. */
  #isUsable(path: string): boolean {
    return isMounted(path) && this.#options.helpers.brokenAt(path) === undefined;
  }

  /** One that cannot be undone now must not keep the others from being used; the next start tries again. */
  async #tried(undo: () => Promise<void>, about: object): Promise<void> {
    try {
      await undo();
    } catch (error) {
      const { log } = this.#options.ctx(new AbortController().signal);
      log.warn({ ...about, err: error }, 'what an earlier process left could not be undone');
    }
  }

  /** Calls about one volume wait for each other. An abort does not end the work, whose outcome would be unknown, unless it ends itself. */
  #onVolume<T>(body: Body, signal: AbortSignal, work: (name: string) => Promise<T>): Promise<T> {
    const name = nameIn(body);
    return this.#queue.run(name, signal, () => work(name));
  }

  async #create(name: string, options: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    await this.#options.driver.create({ name, options, labels: {} }, this.#options.ctx(signal));
    await this.#records.update(name, (old) => ({ uses: old?.uses ?? {}, options }));
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    const uses = Object.entries((await this.#records.get(name))?.uses ?? {});
    if (uses.length > 0 && !this.#options.isExclusive)
      throw conflict(`volume ${name} is in use: mounted ${uses.length} times`, { reason: 'VOLUME_BUSY' });
    for (const [id, use] of uses) await this.#letGo(name, id, use, signal);
    await this.#options.driver.remove({ name, force: false }, this.#options.ctx(signal));
    await this.#records.update(name, () => undefined);
  }

  async #mount(name: string, id: string, signal: AbortSignal): Promise<string> {
    const { driver, ctx, grants, helpers } = this.#options;
    const record = await this.#records.get(name);
    // Made elsewhere, or not at all: the driver knows.
    if (record === undefined) await driver.stat({ name }, ctx(signal));
    const { options = {}, uses = {} } = record ?? {};
    const known = uses[id];
    if (known?.path !== undefined && (known.isMounted !== true || this.#isUsable(known.path))) return known.path;
    const use: Use = { attachmentId: known?.attachmentId ?? attachmentIdOf(id) };
    await this.#put(name, id, use);
    try {
      const request = { name, attachmentId: use.attachmentId, readOnly: false, options };
      const { attachment } = await driver.attach(request, ctx(signal));
      const context = attachment.context === undefined ? {} : { context: attachment.context };
      const plain = plainFolder(attachment.mounts, grants);
      const hasHelper = attachment.mounts.some(({ helper }) => helper !== undefined);
      const path = plain ?? this.#placeFor(name, attachment.shareable === true ? undefined : use.attachmentId);
      if (plain === undefined && !this.#isUsable(path)) {
        if (isMounted(path)) await removeVolume(path, helpers);
        await makeVolume({ target: path, mounts: attachment.mounts, grants, helpers, signal });
      }
      await this.#put(name, id, { ...use, path, isMounted: plain === undefined, ...(hasHelper ? { hasHelper } : {}), ...context });
      return path;
    } catch (error) {
      await this.#letGo(name, id, use, AbortSignal.timeout(undoMs)).catch(() => {});
      throw error;
    }
  }

  /** An id that never mounted, or not any more, has nothing to undo: Docker repeats itself. */
  async #unmount(name: string, id: string, signal: AbortSignal): Promise<void> {
    const use = (await this.#records.get(name))?.uses[id];
    if (use !== undefined) await this.#letGo(name, id, use, signal);
  }

  async #letGo(name: string, id: string, { attachmentId, path, isMounted: isOurs, context }: Use, signal: AbortSignal): Promise<void> {
    const others = Object.entries((await this.#records.get(name))?.uses ?? {}).filter(([other]) => other !== id);
    if (path !== undefined && isOurs === true && !others.some(([, other]) => other.path === path))
      await removeVolume(path, this.#options.helpers);
    const request = { name, attachmentId, last: others.length === 0, ...(context === undefined ? {} : { context }) };
    try {
      await this.#options.driver.detach(request, this.#options.ctx(signal));
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
    await this.#put(name, id, undefined);
  }

  async #put(name: string, id: string, use: Use | undefined): Promise<void> {
    await this.#records.update(name, (old) => {
      if (old === undefined && use === undefined) return undefined;
      const others = Object.entries(old?.uses ?? {}).filter(([other]) => other !== id);
      const uses = Object.fromEntries([...others, ...(use === undefined ? [] : [[id, use] as const])]);
      return { options: old?.options ?? {}, uses };
    });
  }

  /** A name has only letters, digits and _ . -, so `@` keeps the two kinds apart. */
  #placeFor(name: string, attachmentId: string | undefined): string {
    const folder = Buffer.byteLength(name) > 180 ? digest(name) : name;
    return join(this.#options.mountDir, attachmentId === undefined ? folder : `${folder}@${digest(attachmentId)}`);
  }

  async #path(name: string): Promise<string> {
    const uses = Object.values((await this.#records.get(name))?.uses ?? {});
    return uses.find(({ path }) => path !== undefined)?.path ?? '';
  }

  async #shown({ name, created, status }: Volume): Promise<object> {
    const Mountpoint = await this.#path(name);
    return {
      Name: name,
      ...(Mountpoint === '' ? {} : { Mountpoint }),
      ...(created === undefined ? {} : { CreatedAt: created.toISOString() }),
      ...(status === undefined ? {} : { Status: status }),
    };
  }

  /** A driver says it with each volume; before there is one, Docker's default holds. */
  async #scope(signal: AbortSignal): Promise<Volume['scope']> {
    for await (const { scope } of this.#options.driver.list({}, this.#options.ctx(signal))) return scope;
    return 'local';
  }
}

/** Undoing does not wait for a caller who went away. */
const undoMs = 10_000;

/** It becomes a part of paths. */
function nameIn(body: Body): string {
  const name = given(body, 'Name');
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) return name;
  throw invalidArgument(
    `volume name ${JSON.stringify(name.slice(0, 300))}: 1 to 255 of a-z A-Z 0-9 _ . -, not beginning with one of _ . -`,
  );
}

function attachmentIdOf(id: string): string {
  return /^[a-zA-Z0-9_.-]{1,128}$/.test(id) ? id : digest(id);
}

function digest(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
