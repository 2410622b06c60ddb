import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readFileSync } from 'node:fs';
import type { StateStore } from '@gantry/sdk';
import { openInRoot, openPath } from '@gantry/sdk/linux';
import { isObject } from './answer.ts';
import type { Place } from './mountpoint.ts';

export type Options = Readonly<Record<string, string>>;
/** One `Mount` that was sent. Without a mountpoint nobody knows how it ended. */
export interface MountRecord {
  readonly readOnly: boolean;
  readonly mountpoint?: string;
  /** The file system that was there then: another one means that the mount is gone. */
  readonly device?: string;
}

/**
 * What Docker's protocol does not tell and a repeated call needs: which attachment is mounted, and which options a volume was made with.
 * Mounts are only good until the machine starts anew.
 */
export class VolumeRecords {
  readonly #state: StateStore;
  readonly #prefix: string;
  readonly #boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

  constructor(state: StateStore, plugin: string) {
    this.#state = state;
    this.#prefix = `volume/${short(plugin)}`;
  }

  async options(name: string): Promise<Options | undefined> {
    const value = parse((await this.#state.get(this.#optionsKey(name)))?.value);
    return value === undefined ? undefined : Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
  }

  async putOptions(name: string, options: Options | undefined): Promise<void> {
    await this.#state.put([{ key: this.#optionsKey(name), value: options === undefined ? undefined : JSON.stringify(options) }]);
  }

  async mount(name: string, attachmentId: string): Promise<MountRecord | undefined> {
    return this.#readMount((await this.#state.get(this.#mountKey(name, attachmentId)))?.value);
  }

  async putMount(name: string, attachmentId: string, record: MountRecord | undefined): Promise<void> {
    const value = record === undefined ? undefined : JSON.stringify({ ...record, boot: this.#boot });
    await this.#state.put([{ key: this.#mountKey(name, attachmentId), value }], { relaxed: true });
  }

  async mounts(name: string): Promise<number> {
    return (await this.#state.list(`${this.#prefix}/mount/${short(name)}/`)).filter(({ value }) => this.#readMount(value) !== undefined)
      .length;
  }

  async forget(name: string): Promise<void> {
    const mounts = await this.#state.list(`${this.#prefix}/mount/${short(name)}/`);
    await this.#state.put([...mounts.map(({ key }) => key), this.#optionsKey(name)].map((key) => ({ key, value: undefined })));
  }

  #readMount(text: string | undefined): MountRecord | undefined {
    const value = parse(text);
    if (value === undefined || value['boot'] !== this.#boot) return undefined;
    const { mountpoint, device } = value;
    const readOnly = value['readOnly'] === true;
    return typeof mountpoint === 'string' && typeof device === 'string' ? { readOnly, mountpoint, device } : { readOnly };
  }

  #optionsKey(name: string): string {
    return `${this.#prefix}/options/${short(name)}`;
  }

  #mountKey(name: string, attachmentId: string): string {
    return `${this.#prefix}/mount/${short(name)}/${short(attachmentId)}`;
  }
}

/** Which folder of which file system is at a place; undefined: there is nothing, or no folder. Resolved as the engine will: inside. */
export function deviceOf({ host, subpath }: Place): string | undefined {
  let opened: number | undefined;
  try {
    opened = subpath === undefined ? openInRoot('/', host, { flags: openPath }) : openInRoot(host, subpath, { flags: openPath });
    const found = fstatSync(opened, { bigint: true });
    return found.isDirectory() ? `${found.dev}:${found.ino}` : undefined;
  } catch {
    return undefined;
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return isObject(value) ? value : undefined;
}

/** Keys of the store are short, names are not. */
function short(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
