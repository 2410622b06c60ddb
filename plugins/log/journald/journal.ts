import { closeSync, writeSync } from 'node:fs';
import { messageOf, unavailable } from '@gantry/sdk';
import { isErrno, memfdCreate, sealFile, UnixDatagramSocket } from '@gantry/sdk/linux';

export const journalSocket = '/run/systemd/journal/socket';

/** The journal of this machine; one call at a time. */
export class Journal implements Disposable {
  #socket: UnixDatagramSocket | undefined;

  /** Resolves when journald's queue has the record; waits while that is full. `unavailable` when nobody listens. */
  async write(record: Buffer, signal: AbortSignal): Promise<void> {
    try {
      this.#socket ??= new UnixDatagramSocket(journalSocket);
      await this.#send(this.#socket, record, signal);
    } catch (error) {
      this[Symbol.dispose]();
      signal.throwIfAborted();
      throw unavailable(`journald: ${messageOf(error)}`, { cause: error, reason: 'RECEIVER_AWAY' });
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }

  async #send(socket: UnixDatagramSocket, record: Buffer, signal: AbortSignal): Promise<void> {
    try {
      await socket.send(record, { signal });
    } catch (error) {
      if (!isErrno(error, 'EMSGSIZE', 'ENOBUFS')) throw error;
      await this.#sendAsFile(socket, record, signal);
    }
  }

  /** What is too big for a datagram goes as a sealed file in memory (systemd's JOURNAL_NATIVE_PROTOCOL). */
  async #sendAsFile(socket: UnixDatagramSocket, record: Buffer, signal: AbortSignal): Promise<void> {
    const file = memfdCreate('log-record', { sealable: true });
    try {
      for (let at = 0; at < record.length; ) at += writeSync(file, record, at);
      sealFile(file);
      await socket.sendDescriptor(file, { signal });
    } finally {
      closeSync(file);
    }
  }
}
