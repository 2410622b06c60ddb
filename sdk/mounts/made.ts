import { closeSync, openSync } from 'node:fs';
import { invalidArgument } from '../errors.ts';
import { openInRoot, openPath, statxMount, umount2, unmountFlags } from '../linux/index.ts';

/**
 * The mounts of one list that are made, each at the target or at a place below it. Places are of the plugin's making: they are looked up anew each time and
 * never outside the target, wherever its symlinks lead.
 */
export class MadeMounts {
  readonly target: string;
  readonly #places: (string | undefined)[] = [];

  constructor(target: string) {
    this.target = target;
  }

  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  add(place: string | undefined): void {
    this.#places.push(place);
  }

  /** An O_PATH descriptor of what is on top at a place; the caller closes it. */
  open(place: string | undefined): number {
    return place === undefined ? openSync(this.target, openPath) : openInRoot(this.target, place, { flags: openPath });
  }

  /** The same of the mount of this number in the list. */
  openMount(index: number): number {
    if (index >= this.#places.length) throw invalidArgument(`mount ${index} is not an earlier one of the same list`);
    return this.open(this.#places[index]);
  }

  /** Which mount a place is on; another one when something was mounted there since. */
  mountIdAt(place: string | undefined): number {
    const top = this.open(place);
    try {
      return statxMount(top).mountId;
    } finally {
      closeSync(top);
    }
  }

  /** Whether another mount is there than that of this number; no, where the place is gone. */
  isOtherAt(place: string | undefined, mountId: number): boolean {
    try {
      return this.mountIdAt(place) !== mountId;
    } catch {
      return false;
    }
  }

  unmountAt(place: string | undefined): void {
    const top = this.open(place);
    try {
      umount2(top, unmountFlags.detach);
    } finally {
      closeSync(top);
    }
  }

  /** The last first. One that cannot be taken back keeps none of the others: a failure is what the caller tells already. */
  takeBack(): void {
    for (const place of this.#places.toReversed()) this.tryUnmountAt(place);
  }

  tryUnmountAt(place: string | undefined): void {
    try {
      this.unmountAt(place);
    } catch {
      // Its place is gone with a mount above it, or the plugin moved it: within the target, which goes as a whole with its first mount.
    }
  }
}
