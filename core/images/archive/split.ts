import { rm } from 'node:fs/promises';
import { type Abortable, invalidArgument } from '@gantry/sdk';
import type { Content, Ingested } from '../../content/index.ts';
import { decompressed, plainStream, TarError, type TarHandler, type TarHeader, TarReader } from '../../layers/index.ts';
import { failpoint } from '../../support/index.ts';
import { IngestWriter } from './ingest-writer.ts';
import { cleanName, type Member, Members } from './members.ts';

/** Members up to this size stay in memory, until they are many. */
const smallBytes = 64 * 1024;
const maxSmallTotalBytes = 64 * 1024 * 1024;
const maxMembers = 65_536;
const maxNameBytes = 4_096;
const pieceBytes = 1024 * 1024;

interface SplitOptions extends Abortable {
  readonly content: Content;
  /** Told of each file when all of its bytes are in it. */
  readonly onFile?: (file: Ingested) => void;
}

/** An archive that was taken apart; disposing removes the files that nobody made blobs of. */
export interface SplitArchive extends AsyncDisposable {
  readonly members: Members;
}

/**
 * Reads a tar, compressed or not, once from its beginning to its end: big members become files of the ingest folder, hashed on the way.
 * `invalid_argument` for what is no tar. Abort and failure leave nothing.
 */
export async function splitArchive(tar: AsyncIterable<Buffer>, { content, onFile, signal }: SplitOptions): Promise<SplitArchive> {
  await using undo = new AsyncDisposableStack();
  const paths: string[] = [];
  undo.defer(async () => {
    for (const path of paths) await rm(path, { force: true });
  });
  const newPath = (): string => {
    const path = content.newIngestPath();
    paths.push(path);
    return path;
  };
  const members = new Members(newPath);
  const writer = undo.use(new IngestWriter());
  const sorter = new Sorter(members, { writer, newPath, onFile });
  const reader = new TarReader(sorter);
  try {
    for await (const chunk of decompressed(plainStream(tar, { signal }))) {
      signal?.throwIfAborted();
      failpoint('load.spool');
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        reader.write(chunk.subarray(at, at + pieceBytes));
        await writer.ready();
      }
    }
    reader.finish();
  } catch (error) {
    if (error instanceof TarError) throw invalidArgument(`not an archive of images: ${error.message}`, { cause: error });
    throw error;
  }
  signal?.throwIfAborted();
  await writer.settled();
  if (members.count === 0) throw invalidArgument('not an archive of images: it is empty');
  const files = undo.move();
  return { members, [Symbol.asyncDispose]: () => files.disposeAsync() };
}

const kinds: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a character device',
  '4': 'a block device',
  '5': 'a folder',
  '6': 'a fifo',
};

/** Puts each entry where it belongs. */
class Sorter implements TarHandler {
  readonly #members: Members;
  readonly #writer: IngestWriter;
  readonly #newPath: () => string;
  readonly #onFile: SplitOptions['onFile'];
  #smallTotal = 0;
  #entries = 0;
  #name: string | undefined;
  #small: Buffer | undefined;
  #filled = 0;
  #isFile = false;

  constructor(
    members: Members,
    { writer, newPath, onFile }: { readonly writer: IngestWriter; readonly newPath: () => string; readonly onFile: SplitOptions['onFile'] },
  ) {
    this.#members = members;
    this.#writer = writer;
    this.#newPath = newPath;
    this.#onFile = onFile;
  }

  entry(header: TarHeader): void {
    this.#name = undefined;
    this.#entries += 1;
    if (this.#entries > maxMembers) throw invalidArgument(`archive of images with more than ${maxMembers} members`);
    if (header.name.length > maxNameBytes) throw invalidArgument(`archive member with a name of ${header.name.length} bytes`);
    const name = header.name.toString();
    const isRoot = header.type === '5' && !name.split('/').includes('..');
    if (header.type === 'g' || (isRoot && cleanName(name) === undefined)) return;
    const path = cleanName(name);
    if (path === undefined) throw invalidArgument(`archive member ${JSON.stringify(name.slice(0, 200))} lies outside the archive`);
    if (header.type === '0' || header.type === '7') this.#begin(path, header.size);
    else this.#members.set(path, memberWithoutBytes(path, header));
  }

  data(chunk: Buffer): void {
    if (this.#name === undefined) return;
    if (this.#isFile) this.#writer.write(chunk);
    else if (this.#small !== undefined) this.#filled += chunk.copy(this.#small, this.#filled);
  }

  hole(): void {
    throw invalidArgument(`archive member ${JSON.stringify((this.#name ?? '').slice(0, 200))} is sparse`);
  }

  end(): void {
    const name = this.#name;
    if (name === undefined) return;
    this.#name = undefined;
    if (this.#isFile) this.#endFile(name);
    else if (this.#small !== undefined) this.#members.set(name, { kind: 'small', bytes: this.#small });
    this.#isFile = false;
    this.#small = undefined;
  }

  #endFile(name: string): void {
    const file = this.#writer.end();
    this.#members.set(name, { kind: 'file', ...file });
    // A failure is told by the writer.
    if (this.#onFile !== undefined)
      void this.#writer
        .settled()
        .then(() => this.#onFile?.(file))
        .catch(() => undefined);
  }

  #begin(name: string, sizeBytes: number): void {
    this.#name = name;
    const isSmall = sizeBytes <= smallBytes && this.#smallTotal + sizeBytes <= maxSmallTotalBytes;
    this.#isFile = !isSmall;
    this.#filled = 0;
    if (isSmall) {
      this.#small = Buffer.allocUnsafeSlow(sizeBytes);
      this.#smallTotal += sizeBytes;
    } else this.#writer.begin(this.#newPath());
  }
}

function memberWithoutBytes(path: string, { type, linkName }: TarHeader): Member {
  if (type !== '2') return { kind: 'other', what: kinds[type] ?? `an entry of type ${JSON.stringify(type)}` };
  const target = linkName.toString();
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  return { kind: 'link', target: target.startsWith('/') ? undefined : cleanName(folder + target) };
}
