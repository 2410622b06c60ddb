import {
  compareLogTime,
  logAttributes,
  checkLogOptions,
  type ContainerInfo,
  type Entry,
  type LogDriver,
  type ReadRequest,
  type ReadResponse,
  type WriteRequest,
  type WriteResponse,
} from '../log/index.ts';
import type { Ctx } from '../types/index.ts';
import { GantryError, unavailable } from '../errors.ts';

interface Stored {
  readonly entries: Entry[];
  streamId: string;
  seq: number;
  isOpen: boolean;
  readonly changed: Set<() => void>;
}

/** A whole log driver in memory, with switches for what back ends do to the engine: be down, be slow. */
export class MemoryLogDriver implements LogDriver {
  readonly #containers = new Map<string, Stored>();
  /** While it is set, every batch fails with it. */
  isDown = false;
  /** Batches wait this long. */
  delayMs = 0;
  /** Entries that the engine reported as lost. */
  dropped = 0;
  /** How often a stream was opened. */
  opened = 0;

  /** What is stored of a container. */
  entries(containerId: string): readonly Entry[] {
    return this.#containers.get(containerId)?.entries ?? [];
  }

  async validate({ options }: { readonly options: Readonly<Record<string, string>> }): Promise<void> {
    checkLogOptions('memory', options, {});
  }

  async *write(requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    let stored: Stored | undefined;
    for await (const request of requests) {
      if (request.kind === 'open') stored = this.#open(request.container.id, request.streamId);
      else if (stored === undefined) throw new GantryError('conflict', 'a batch before open');
      else if (request.kind === 'close') this.#close(stored);
      else yield await this.#take(stored, request);
    }
  }

  async *read(request: ReadRequest, { signal }: Ctx): AsyncGenerator<ReadResponse> {
    const attributes = logAttributes(request.container, request.options);
    yield { entries: [], ...(Object.keys(attributes).length === 0 ? {} : { attributes }) };
    const stored = this.#containers.get(request.container.id);
    if (stored === undefined) return;
    const { tail, follow } = request;
    for (let at = tail === undefined ? 0 : Math.max(0, stored.entries.length - tail); ; ) {
      signal.throwIfAborted();
      const wasOpen = stored.isOpen;
      const entries = stored.entries.slice(at).filter((entry) => isWanted(entry, request));
      at = stored.entries.length;
      if (entries.length > 0) yield { entries };
      if (at < stored.entries.length) continue;
      if (!follow || !wasOpen) return;
      if (stored.isOpen) await next(stored, signal);
    }
  }

  async purge({ container }: { readonly container: ContainerInfo }): Promise<void> {
    this.#containers.delete(container.id);
  }

  #open(id: string, streamId: string): Stored {
    this.opened += 1;
    const stored = this.#containers.get(id) ?? { entries: [], streamId, seq: 0, isOpen: true, changed: new Set() };
    this.#containers.set(id, stored);
    if (stored.streamId !== streamId) stored.seq = 0;
    stored.streamId = streamId;
    stored.isOpen = true;
    return stored;
  }

  async #take(stored: Stored, request: Extract<WriteRequest, { kind: 'batch' }>): Promise<WriteResponse> {
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (this.isDown) throw unavailable('the back end is down');
    const { firstSeq, entries, droppedBefore } = request;
    this.dropped += droppedBefore;
    const fresh = entries.slice(Math.max(0, stored.seq - firstSeq + 1));
    stored.entries.push(...fresh.map((entry) => ({ ...entry, line: Buffer.from(entry.line) })));
    stored.seq = Math.max(stored.seq, firstSeq + entries.length - 1);
    tell(stored);
    return { ackedSeq: stored.seq };
  }

  #close(stored: Stored): void {
    stored.isOpen = false;
    tell(stored);
  }
}

function tell({ changed }: Stored): void {
  for (const callback of changed) callback();
}

function next({ changed }: Stored, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = (): void => {
    changed.delete(done);
    signal.removeEventListener('abort', done);
    if (signal.aborted) reject(signal.reason);
    else resolve();
  };
  changed.add(done);
  signal.addEventListener('abort', done);
  return promise;
}

function isWanted({ source, time }: Entry, { stdout, stderr, since, until }: ReadRequest): boolean {
  return (
    (source === 'stdout' ? stdout : stderr) &&
    (since === undefined || compareLogTime(time, since) >= 0) &&
    (until === undefined || compareLogTime(time, until) <= 0)
  );
}
