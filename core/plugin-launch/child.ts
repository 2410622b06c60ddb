import { closeSync } from 'node:fs';
import { pidfdOpen, pidfdSendSignal, waitpid, whenReadable, type ExitStatus } from '@gantry/sdk/linux';

/** A child process of the engine's, by a descriptor that never means another one. Made before anybody can have reaped it. */
export class Child implements Disposable {
  readonly pid: number;
  readonly #pidfd: number;
  /** Never rejects. Reaped by then. */
  readonly ended: Promise<ExitStatus>;

  /** `keepAlive` false: that it runs keeps this process from nothing. */
  constructor(pid: number, { keepAlive = true }: { readonly keepAlive?: boolean } = {}) {
    this.pid = pid;
    this.#pidfd = pidfdOpen(pid);
    this.ended = this.#wait(keepAlive);
  }

  /** False when it has ended. */
  signal(signal: NodeJS.Signals): boolean {
    return pidfdSendSignal(this.#pidfd, signal);
  }

  /** Only after `ended`. */
  [Symbol.dispose](): void {
    closeSync(this.#pidfd);
  }

  async #wait(keepAlive: boolean): Promise<ExitStatus> {
    await whenReadable(this.#pidfd, { keepAlive });
    const status = waitpid(this.pid);
    return typeof status === 'string' ? { exitCode: undefined, signal: undefined } : status;
  }
}
