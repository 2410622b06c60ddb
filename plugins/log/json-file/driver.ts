import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, type Ctx } from '@gantry/sdk';
import {
  type ContainerInfo,
  type LogDriver,
  logAttributes,
  type ReadRequest,
  type ReadResponse,
  type WriteRequest,
  type WriteResponse,
} from '@gantry/sdk/log';
import { LogFile } from './log-file.ts';
import { checkOptions } from './options.ts';
import { isLogFile, logPath } from './paths.ts';
import { readLog } from './read-log.ts';
import { OpenStream } from './open-stream.ts';

/** Docker's json-file: one JSON object per entry, in files that people and tools read directly. */
export class JsonFileDriver implements LogDriver {
  /** By container; there while a stream is open. */
  readonly #streams = new Map<string, OpenStream>();

  async validate({ options }: { readonly options: Readonly<Record<string, string>> }): Promise<void> {
    checkOptions(options);
  }

  async *write(requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    using writing = new DisposableStack();
    let file: LogFile | undefined;
    let stream: OpenStream | undefined;
    for await (const request of requests) {
      if (request.kind === 'open') {
        stream = await this.#open(request.container.id, writing);
        const opened = stream;
        file = writing.use(new LogFile(request, () => opened.rotated()));
        if (file.seq > 0) yield { ackedSeq: file.seq };
      } else if (request.kind === 'close') {
        stream?.complete();
        return;
      } else {
        if (file === undefined) throw conflict('log stream got a batch before open');
        await file.append(request.firstSeq, request.entries);
        stream?.appended();
        yield { ackedSeq: Math.max(file.seq, request.firstSeq + request.entries.length - 1) };
      }
    }
  }

  async *read(request: ReadRequest, { signal }: Ctx): AsyncGenerator<ReadResponse> {
    const attributes = logAttributes(request.container, request.options);
    yield { entries: [], ...(Object.keys(attributes).length === 0 ? {} : { attributes }) };
    const writer = this.#streams.get(request.container.id);
    for await (const entries of readLog(logPath(request.container), request, { writer, signal })) yield { entries };
  }

  async path({ container }: { readonly container: ContainerInfo }): Promise<{ readonly path: string }> {
    return { path: logPath(container) };
  }

  async purge({ container }: { readonly container: ContainerInfo }): Promise<void> {
    for (const name of names(container.dir)) if (isLogFile(name, container.id)) rmSync(join(container.dir, name), { force: true });
  }

  /** A stream that broke is replaced by the next, and those who follow stay; two at a time would write over each other. */
  async #open(id: string, writing: DisposableStack): Promise<OpenStream> {
    for (let other = this.#streams.get(id); other?.isWriting === true; other = this.#streams.get(id)) await once(other.events, 'idle');
    const stream = this.#streams.get(id) ?? new OpenStream();
    this.#streams.set(id, stream);
    stream.isWriting = true;
    writing.defer(() => {
      stream.isWriting = false;
      if (!stream.isOpen && this.#streams.get(id) === stream) this.#streams.delete(id);
      stream.events.emit('idle');
    });
    return stream;
  }
}

function names(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
