import { EventEmitter } from 'node:events';
import type { Writer } from './read-log.ts';

/** One container's stream, for those who follow it: it stays open over breaks until it is complete. */
export class OpenStream implements Writer {
  /** `idle`: nobody writes now. `changed`: there is more, or it is over. */
  readonly events = new EventEmitter().setMaxListeners(0);
  isWriting = false;
  #rotations = 0;
  #isOpen = true;

  get rotations(): number {
    return this.#rotations;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  appended(): void {
    this.events.emit('changed');
  }

  rotated(): void {
    this.#rotations += 1;
    this.events.emit('changed');
  }

  complete(): void {
    this.#isOpen = false;
    this.events.emit('changed');
  }

  changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wake = (): void => {
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      this.events.off('changed', wake);
      reject(signal.reason);
    };
    this.events.once('changed', wake);
    signal.addEventListener('abort', abort, { once: true });
    return promise;
  }
}
