import { blockBytes, invalidHeader, isHeaderOnly, noBytes, numeric, parseBlock, TarError, type TarHeader } from './header.ts';
import { mergePax, parsePax, type PaxRecords } from './pax.ts';
import { checkExtents, extentsOfPax, mergeSparse, oldGnuExtents, paxSparseVersion, SparseMapLines, type Extent } from './sparse.ts';

export interface TarHandler {
  /** A new entry. Extended headers are merged into it, except global ones (type 'g'), which are told and change nothing, as in Go. */
  entry(header: TarHeader): void;
  /** A piece of the entry's content: a view into what was written, valid until this returns. */
  data(chunk: Buffer): void;
  /** Zeros that a sparse file leaves out. */
  hole(lengthBytes: number): void;
  /** The entry is whole. */
  end(): void;
}

/** As in Go: an extended header larger than this is refused before it is read. */
const maxExtendedBytes = 1024 * 1024;

/**
 * Reads a tar that somebody else made, with the semantics of Go's archive/tar, pushed in pieces of any size. Bodies are not copied.
 * Throws `TarError` from `write` or `finish` on a malformed or truncated archive; whatever follows the end mark is ignored.
 * What the handler throws passes through; the reader must not be used after that.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #carry = Buffer.allocUnsafe(blockBytes);
  #carried = 0;
  #state: State = 'block';
  #expected: Expected = 'header';
  #remaining = 0;
  #padding = 0;
  #extended: Buffer[] = [];
  #extendedType = '';
  #pax: PaxRecords | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  #header: TarHeader | undefined;
  #sparse: SparseBody | undefined;
  #extents: Extent[] = [];
  #mapLines: SparseMapLines | undefined;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** Two zero blocks were seen: nothing that follows matters. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Takes the next piece, of any length. */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state !== 'done') {
      const available = chunk.length - at;
      if (this.#state === 'block') {
        at += this.#takeBlock(chunk, at);
        continue;
      }
      const taken = Math.min(available, this.#state === 'padding' ? this.#padding : this.#remaining);
      if (this.#state === 'padding') this.#padding -= taken;
      else {
        const piece = chunk.subarray(at, at + taken);
        this.#remaining -= taken;
        if (this.#state === 'extended') this.#extended.push(Buffer.from(piece));
        else if (this.#sparse === undefined) this.#handler.data(piece);
        else this.#sparse.data(piece);
      }
      at += taken;
      this.#settle();
    }
  }

  /** The input is over. */
  finish(): void {
    const isCut =
      this.#state === 'block' ? this.#carried > 0 || this.#isInsideEntry() : this.#state === 'body' || this.#state === 'extended';
    if (isCut) throw new TarError('unexpected end of the archive');
  }

  #isInsideEntry(): boolean {
    return this.#expected === 'gnu-sparse' || this.#expected === 'sparse-map';
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#carried === 0 && chunk.length - at >= blockBytes) {
      this.#block(chunk.subarray(at, at + blockBytes));
      return blockBytes;
    }
    const taken = Math.min(blockBytes - this.#carried, chunk.length - at);
    chunk.copy(this.#carry, this.#carried, at, at + taken);
    this.#carried += taken;
    if (this.#carried === blockBytes) {
      this.#carried = 0;
      this.#block(this.#carry);
    }
    return taken;
  }

  #block(block: Buffer): void {
    switch (this.#expected) {
      case 'header':
        return this.#headerBlock(block);
      case 'second-zero':
        if (parseBlock(block) !== undefined) throw invalidHeader('an entry after a single zero block');
        this.#state = 'done';
        return;
      case 'gnu-sparse':
        if (!oldGnuExtents(block, 0, 21, this.#extents)) this.#beginSparse(this.#extents);
        return;
      case 'sparse-map':
        if (this.#remaining < blockBytes) throw new TarError('unexpected end of the sparse map');
        this.#remaining -= blockBytes;
        if (this.#mapLines?.push(block)) this.#beginSparse(this.#mapLines.extents());
        return;
      default:
        this.#expected satisfies never;
    }
  }

  #headerBlock(block: Buffer): void {
    const parsed = parseBlock(block);
    if (parsed === undefined) {
      this.#expected = 'second-zero';
      return;
    }
    const { header, format } = parsed;
    this.#measure(header);
    if (header.type === 'x' || header.type === 'g' || header.type === 'L' || header.type === 'K') this.#beginExtended(header);
    else this.#beginEntry(header, block, format === 'gnu');
  }

  #measure(header: TarHeader): void {
    this.#remaining = isHeaderOnly(header.type) ? 0 : header.size;
    if (this.#remaining < 0) throw invalidHeader('negative size');
    this.#padding = (blockBytes - (this.#remaining % blockBytes)) % blockBytes;
  }

  #beginExtended(header: TarHeader): void {
    if (header.size > maxExtendedBytes) throw new TarError(`extended header of ${header.size} bytes; at most ${maxExtendedBytes}`);
    this.#extendedType = header.type;
    this.#header = header;
    this.#extended = [];
    this.#state = 'extended';
    this.#settle();
  }

  #endExtended(): void {
    const data = this.#extended.length === 1 && this.#extended[0] !== undefined ? this.#extended[0] : Buffer.concat(this.#extended);
    this.#extended = [];
    if (this.#extendedType === 'x') this.#pax = parsePax(data);
    else if (this.#extendedType === 'g') this.#tellGlobal(data);
    else if (this.#extendedType === 'L') this.#longName = untilNul(data);
    else this.#longLink = untilNul(data);
  }

  #tellGlobal(data: Buffer): void {
    const told = this.#header;
    if (told === undefined) return;
    mergePax(told, parsePax(data));
    this.#handler.entry({ ...told, size: 0, mode: 0, uid: 0, gid: 0, linkName: noBytes });
    this.#handler.end();
  }

  #beginEntry(header: TarHeader, block: Buffer, isGnu: boolean): void {
    const pax = this.#pax;
    if (pax !== undefined) mergePax(header, pax);
    if (this.#longName !== undefined && this.#longName.length > 0) header.name = this.#longName;
    if (this.#longLink !== undefined && this.#longLink.length > 0) header.linkName = this.#longLink;
    this.#pax = this.#longName = this.#longLink = undefined;
    if (header.type === '\0') header.type = header.name.at(-1) === 0x2f ? '5' : '0';
    this.#measure(header);
    this.#header = header;
    if (header.type === 'S') this.#beginOldGnuSparse(header, block, isGnu);
    else if (pax !== undefined && paxSparseVersion(pax) !== undefined) this.#beginPaxSparse(header, pax);
    else this.#beginBody(header);
  }

  #beginOldGnuSparse(header: TarHeader, block: Buffer, isGnu: boolean): void {
    if (!isGnu) throw invalidHeader('sparse file in a format that has none');
    header.size = numeric(block, 483, 495, 'sparse size');
    this.#extents = [];
    if (oldGnuExtents(block, 386, 4, this.#extents)) this.#expected = 'gnu-sparse';
    else this.#beginSparse(this.#extents);
  }

  #beginPaxSparse(header: TarHeader, pax: PaxRecords): void {
    const isOne = paxSparseVersion(pax) === '1.0';
    mergeSparse(header, pax);
    if (isHeaderOnly(header.type)) throw invalidHeader('sparse map on an entry without a body');
    if (!isOne) return this.#beginSparse(extentsOfPax(pax));
    this.#mapLines = new SparseMapLines();
    this.#expected = 'sparse-map';
  }

  #beginSparse(extents: readonly Extent[]): void {
    const header = this.#header;
    if (header === undefined) return;
    checkExtents(extents, header.size);
    this.#mapLines = undefined;
    this.#extents = [];
    this.#expected = 'header';
    this.#sparse = new SparseBody(this.#handler, extents, header.size);
    this.#beginBody(header);
  }

  #beginBody(header: TarHeader): void {
    this.#handler.entry(header);
    this.#state = 'body';
    this.#settle();
  }

  /** Moves on when the part that is being read is over. */
  #settle(): void {
    if (this.#state === 'body' && this.#remaining === 0) {
      this.#sparse?.end();
      this.#sparse = undefined;
      this.#handler.end();
      this.#state = 'padding';
    } else if (this.#state === 'extended' && this.#remaining === 0) {
      this.#endExtended();
      this.#state = 'padding';
    }
    if (this.#state === 'padding' && this.#padding === 0) this.#state = 'block';
  }
}

type State = 'block' | 'extended' | 'body' | 'padding' | 'done';
type Expected = 'header' | 'second-zero' | 'gnu-sparse' | 'sparse-map';

/** Puts the stretches of a sparse file where they belong. */
class SparseBody {
  readonly #handler: TarHandler;
  readonly #extents: readonly Extent[];
  readonly #size: number;
  #next = 0;
  #position = 0;

  constructor(handler: TarHandler, extents: readonly Extent[], size: number) {
    this.#handler = handler;
    this.#extents = extents.filter(({ length }) => length > 0);
    this.#size = size;
  }

  data(piece: Buffer): void {
    for (let rest = piece; rest.length > 0; ) {
      const extent = this.#extents[this.#next];
      if (extent === undefined) throw new TarError('sparse file contains unreferenced data');
      this.#skipTo(extent.offset);
      const end = extent.offset + extent.length;
      const part = rest.subarray(0, end - this.#position);
      this.#handler.data(part);
      this.#position += part.length;
      rest = rest.subarray(part.length);
      if (this.#position === end) this.#next += 1;
    }
  }

  end(): void {
    if (this.#next < this.#extents.length) throw new TarError('sparse file references data that is not there');
    this.#skipTo(this.#size);
  }

  #skipTo(offset: number): void {
    if (offset <= this.#position) return;
    this.#handler.hole(offset - this.#position);
    this.#position = offset;
  }
}

function untilNul(data: Buffer): Buffer {
  const nul = data.indexOf(0);
  return nul < 0 ? data : data.subarray(0, nul);
}
