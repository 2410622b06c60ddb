import { invalidArgument } from '@gantry/sdk';
import type { ImageFile, TreeFile } from '@gantry/sdk/engine';
import { decode, encode } from './messages.ts';
import { PackedMessages } from './packed-messages.ts';
import type { Session, SessionCall } from './session.ts';

const method = '/moby.filesync.v1.FileSync/DiffCopy';

/** Kinds of packets, as fsutil numbers them. */
export const packets = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

interface Stat {
  readonly path: string;
  readonly mode: number;
  readonly size: string;
  /** Nanoseconds since 1970. */
  readonly modTime: string;
  readonly linkname: string;
}
export interface Packet {
  readonly type: number;
  readonly stat: Stat | null;
  readonly ID: number;
  readonly data: Uint8Array;
}

export interface FilesWanted {
  /** "context", "dockerfile", or what the client named. */
  readonly name: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * What a client has in one of its folders, in its order: it first tells everything that is there, and is then asked for one content after
 * the other.
 */
export async function* clientFiles(
  session: Session,
  { name, include, exclude }: FilesWanted,
  signal: AbortSignal,
): AsyncIterable<TreeFile> {
  if (!session.serves(method)) throw invalidArgument('the client of the build sends no files');
  using call = session.open(method, metadata({ name, include, exclude }), signal);
  const packetsIn = packetsOf(call)[Symbol.asyncIterator]();
  const contents = new FileContents(call, packetsIn);
  for (const { id, stat } of askedAhead(await allStats(packetsIn, name), contents)) yield treeFile(stat, () => contents.of(id));
  call.send(encode('Packet', { type: packets.finish }));
  for (let packet = await next(packetsIn); packet !== undefined && packet.packet.type !== packets.finish; ) packet = await next(packetsIn);
  call.end();
}

/** Small files are asked for before it is their turn, so that the way to the client and back is not gone once for each. */
function* askedAhead(stats: PackedMessages, contents: FileContents): Generator<{ readonly id: number; readonly stat: Stat }, void> {
  const ahead: { readonly id: number; readonly stat: Stat }[] = [];
  let id = 0;
  for (const packed of stats.taken()) {
    const { stat } = decode<{ readonly stat: Stat }>('Packet', packed);
    if (hasContent(stat) && Number(stat.size) <= smallBytes) contents.ask(id);
    ahead.push({ id: id++, stat });
    const first = ahead.length > mostAhead ? ahead.shift() : undefined;
    if (first !== undefined) yield first;
  }
  yield* ahead;
}
const [mostAhead, smallBytes] = [32, 32 * 1024];

async function allStats(packetsIn: PacketsIn, name: string): Promise<PackedMessages> {
  const stats = new PackedMessages();
  for (;;) {
    const found = await next(packetsIn);
    if (found === undefined) throw invalidArgument(`the client ended before it had told all of ${name}`);
    const { packet, message } = found;
    if (packet.type !== packets.stat) continue;
    if (packet.stat === null || packet.stat.path === '') return stats;
    stats.push(message);
    if (stats.count > mostFiles) throw invalidArgument(`${name} has more than ${mostFiles} files`);
    if (stats.sizeBytes > mostStatBytes) throw invalidArgument(`more than ${mostStatBytes} bytes are said of the files of ${name}`);
  }
}

const mostFiles = 1_000_000;
/** As much as the names of their index may take. */
const mostStatBytes = 256 * 2 ** 20;

/** Values that are no plain text are said twice over: encoded, with a header that tells so. */
function metadata({ name, include, exclude }: FilesWanted): Readonly<Record<string, string | readonly string[]>> {
  const encoded = (key: string, values: readonly string[]) => {
    const isPlain = values.every((value) => /^[\x20-\x7e]*$/.test(value));
    if (values.length === 0) return {};
    return isPlain ? { [key]: values } : { [key]: values.map((value) => encodeURIComponent(value)), [`${key}-encoded`]: '1' };
  };
  return { ...encoded('dir-name', [name]), ...encoded('include-patterns', include), ...encoded('exclude-patterns', exclude) };
}

type PacketsIn = AsyncIterator<{ readonly packet: Packet; readonly message: Buffer }>;

async function* packetsOf(call: SessionCall): AsyncIterable<{ readonly packet: Packet; readonly message: Buffer }> {
  for await (const message of call) {
    const packet = decode<Packet>('Packet', message);
    if (packet.type === packets.error)
      throw invalidArgument(`the client cannot send its files: ${Buffer.from(packet.data).toString().slice(0, 1000)}`);
    yield { packet, message };
  }
}

async function next(packetsIn: PacketsIn): Promise<{ readonly packet: Packet; readonly message: Buffer } | undefined> {
  const { value, done } = await packetsIn.next();
  return done === true ? undefined : value;
}

/** Contents of files that were asked for, whose pieces come in any order. */
class FileContents {
  readonly #call: SessionCall;
  readonly #packetsIn: PacketsIn;
  readonly #asked = new Map<number, { readonly pieces: Buffer[]; isWhole: boolean }>();
  #waitingBytes = 0;

  constructor(call: SessionCall, packetsIn: PacketsIn) {
    this.#call = call;
    this.#packetsIn = packetsIn;
  }

  ask(id: number): void {
    this.#asked.set(id, { pieces: [], isWhole: false });
    this.#call.send(encode('Packet', { type: packets.request, ID: id }));
  }

  async *of(id: number): AsyncIterable<Buffer> {
    if (!this.#asked.has(id)) this.ask(id);
    const file = this.#asked.get(id) ?? { pieces: [], isWhole: true };
    for (;;) {
      for (const piece of file.pieces.splice(0)) {
        this.#waitingBytes -= piece.length;
        yield piece;
      }
      if (file.isWhole) return void this.#asked.delete(id);
      await this.#take();
    }
  }

  async #take(): Promise<void> {
    const found = await next(this.#packetsIn);
    if (found === undefined) throw invalidArgument('the client ended in the middle of a file');
    const { type, ID, data } = found.packet;
    const file = type === packets.data ? this.#asked.get(ID) : undefined;
    if (file === undefined) return;
    if (data.length === 0) file.isWhole = true;
    else file.pieces.push(Buffer.from(data));
    this.#waitingBytes += data.length;
    if (this.#waitingBytes > mostWaitingBytes) throw invalidArgument('the client sends more than its files are said to have');
  }
}
const mostWaitingBytes = 16 * 2 ** 20;

/** Bits of Go's os.FileMode. */
const goMode = {
  folder: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  sticky: 2 ** 20,
};

function treeFile(stat: Stat, content: () => AsyncIterable<Buffer>): TreeFile {
  const has = (bit: number): boolean => Math.floor(stat.mode / bit) % 2 === 1;
  const common = {
    name: stat.path,
    mode: (stat.mode % 0o1000) + (has(goMode.setuid) ? 0o4000 : 0) + (has(goMode.setgid) ? 0o2000 : 0) + (has(goMode.sticky) ? 0o1000 : 0),
    mtimeSeconds: Number(BigInt(stat.modTime) / 1_000_000_000n),
  };
  if (has(goMode.folder)) return { ...common, kind: 'folder', content: nothing() };
  if (has(goMode.symlink)) return { ...common, kind: 'symlink', target: stat.linkname, content: nothing() };
  if (has(goMode.fifo)) return { ...common, kind: 'fifo', content: nothing() };
  if (stat.linkname !== '') return { ...common, kind: 'link', target: stat.linkname, content: nothing() };
  return { ...common, content: hasContent(stat) ? content() : nothing() };
}

function hasContent({ mode, linkname, size }: Stat): boolean {
  const isOfKind = [goMode.folder, goMode.symlink, goMode.device, goMode.fifo, goMode.socket].some(
    (bit) => Math.floor(mode / bit) % 2 === 1,
  );
  return !isOfKind && linkname === '' && Number(size) > 0;
}

/** How Go says what a file is and who may do what with it. */
export function goModeOf(kind: ImageFile['kind'], mode: number): number {
  const special = { folder: goMode.folder, symlink: goMode.symlink, fifo: goMode.fifo, device: goMode.device, file: 0, link: 0 }[kind];
  const has = (bit: number, go: number): number => ((mode & bit) === 0 ? 0 : go);
  return (mode & 0o777) + special + has(0o4000, goMode.setuid) + has(0o2000, goMode.setgid) + has(0o1000, goMode.sticky);
}

async function* nothing(): AsyncIterable<Buffer> {
  // It has no content.
}
