import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { conflict } from '../../errors.ts';
import type { Ctx } from '../../types/index.ts';
import { logAttributes } from '../attributes.ts';
import type {
  ContainerInfo,
  LogDriver,
  Open,
  ReadRequest,
  ReadResponse,
  ValidateRequest,
  WriteRequest,
  WriteResponse,
} from '../contract.ts';
import type { LogFormat } from './format.ts';
import { LogFile } from './log-file.ts';
import { OpenStream } from './open-stream.ts';
import { checkFileOptions, type FileOptions, fileOptions } from './options.ts';
import { readLog } from './read-log.ts';

export interface FileLogDriverOptions {
  /** As users know the driver. */
  readonly name: string;
  readonly format: LogFormat;
  /** What max-size, max-file and compress are when they are not given. */
  readonly defaults: FileOptions;
}

/**
 * A driver that keeps a container's output in rotated files of its folder and reads them again. Takes max-size, max-file, compress and the options that
 * every driver takes. An entry is in the file when it is acknowledged; what a broken stream sends again is stored once.
 */
export class FileLogDriver implements LogDriver {
  readonly #options: FileLogDriverOptions;
  /** By container; there while a stream is open. */
  readonly #streams = new Map<string, OpenStream>();

  constructor(options: FileLogDriverOptions) {
    this.#options = options;
  }

  async validate({ options }: ValidateRequest): Promise<void> {
    checkFileOptions(this.#options.name, options, this.#options.defaults);
  }

  async *write(requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    using writing = new DisposableStack();
    let file: LogFile | undefined;
    let stream: OpenStream | undefined;
    for await (const request of requests) {
      if (request.kind === 'open') {
        stream = await this.#open(request.container.id, writing);
        const opened = stream;
        file = writing.use(this.#file(request, () => opened.rotated()));
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
    for await (const entries of readLog(this.#options.format, request, { writer, signal })) yield { entries };
  }

  async purge({ container }: { readonly container: ContainerInfo }): Promise<void> {
    const path = this.#options.format.path(container);
    for (const name of names(dirname(path))) if (isLogFile(name, basename(path))) rmSync(join(dirname(path), name), { force: true });
  }

  #file(open: Pick<Open, 'container' | 'options' | 'streamId'>, onRotated: () => void): LogFile {
    const { format, defaults } = this.#options;
    const { container, options, streamId } = open;
    mkdirSync(dirname(format.path(container)), { recursive: true, mode: 0o700 });
    return new LogFile({ container, options, streamId, format, files: fileOptions(options, defaults) }, onRotated);
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

/** Whether a name is the log, a rotated part of it, or our note. */
function isLogFile(name: string, log: string): boolean {
  return name.startsWith(log) && /^(\.\d+(\.gz(\.tmp)?)?|\.place)?$/.test(name.slice(log.length));
}

function names(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
