import { type FSWatcher, watch } from 'node:fs';

const lookEveryMs = 20;
const idleLooks = 2;
const pollWithoutInotifyMs = 250;

/**
 * Calls `look` when files in a folder changed: at once, then every 20 ms while `look` says that there was something new, then it sleeps until
 * the kernel reports the next change. So a busy container costs 50 looks a second and not an event per write, a quiet one costs nothing.
 * All watches of the process share one inotify descriptor; without inotify (limit reached) it polls.
 */
export class SpoolWatch implements Disposable {
  readonly #dir: string;
  readonly #look: () => boolean;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #idle = 0;
  #isClosed = false;

  constructor(dir: string, look: () => boolean) {
    this.#dir = dir;
    this.#look = look;
    this.#sleep();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  readonly #tick = (): void => {
    if (this.#isClosed) return;
    this.#idle = this.#look() ? 0 : this.#idle + 1;
    if (this.#idle < idleLooks) this.#timer = setTimeout(this.#tick, lookEveryMs).unref();
    else this.#sleep();
  };

  #sleep(): void {
    try {
      this.#watcher = watch(this.#dir, { persistent: false }, this.#wake);
      this.#watcher.on('error', this.#wake);
    } catch {
      this.#timer = setTimeout(this.#tick, pollWithoutInotifyMs).unref();
      return;
    }
    // What came before the kernel watched would be reported to nobody.
    if (this.#look()) this.#wake();
  }

  readonly #wake = (): void => {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#idle = 0;
    this.#tick();
  };
}
