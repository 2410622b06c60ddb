import { invalidArgument } from '@gantry/sdk';
import type { SourceNode } from './source-tree.ts';

/** A thing of an archive, and where its content lies in the file of contents. */
export interface IndexNode extends SourceNode {
  readonly offset: number;
}
/** All of it, as it goes from thread to thread: the memory itself, and no copy. */
export interface SharedNodes {
  readonly records: readonly SharedArrayBuffer[];
  readonly texts: readonly SharedArrayBuffer[];
  readonly table: SharedArrayBuffer;
  readonly seed: number;
  readonly count: number;
}

/**
 * Nodes of a tree by numbers, in memory that threads share: 80 bytes each, its name, and what few have behind it. As objects a context of
 * 300,000 files would take a hundred megabytes, once per thread. Whoever fills it is alone with it; it is shared when it is full.
 */
export class NodeMemory {
  readonly #records: SharedArrayBuffer[] = [];
  readonly #texts: SharedArrayBuffer[] = [];
  readonly #recordViews: Buffer[] = [];
  readonly #textViews: Buffer[] = [];
  readonly #seed: number;
  /** Of what is said of a node behind its record: where it is, for the last few that were said. */
  readonly #said = new Map<string, number>();
  #table: Int32Array;
  #count: number;
  #textEnd = 0;

  constructor(shared?: SharedNodes) {
    for (const each of shared?.records ?? []) this.#addRecords(each);
    for (const each of shared?.texts ?? []) this.#addText(each);
    this.#table = new Int32Array(shared?.table ?? new SharedArrayBuffer(firstSlots * 4));
    this.#seed = shared?.seed ?? Math.trunc(Math.random() * 2 ** 31);
    this.#count = shared?.count ?? 0;
  }

  get shared(): SharedNodes {
    const table = this.#table.buffer as SharedArrayBuffer;
    return { records: this.#records, texts: this.#texts, table, seed: this.#seed, count: this.#count };
  }

  get count(): number {
    return this.#count;
  }

  /** The child of a node whose name are these characters of `path`; -1: there is none. */
  child(parent: number, path: string, start: number, end: number): number {
    return (this.#table[this.#slotOf(parent, path, start, end)] ?? 0) - 1;
  }

  /** A node more. One that has the name already, if any, is no child any more, nor is what is below it. The first node of all is the root. */
  add(parent: number, name: string, node: IndexNode, digest: string): number {
    if (this.#count >= mostNodes) throw invalidArgument(`more than ${mostNodes} files and folders`);
    if (name.length > longestName) throw invalidArgument(`a name of ${name.length} bytes, at most ${longestName}`);
    if (this.#count * 3 > this.#table.length * 2) this.#growTable();
    const id = this.#count++;
    if (id % recordsEach === 0) this.#addRecords(new SharedArrayBuffer(recordsEach * recordBytes));
    const [record, at] = [this.#recordOf(id), atOf(id)];
    record.writeUInt32LE(this.#write(name), at + fields.name);
    record.writeInt32LE(parent, at + fields.parent);
    record.writeInt32LE(-1, at + fields.first);
    record.writeInt32LE(-1, at + fields.next);
    record.writeUInt32LE(name.length << nameShift, at + fields.bits);
    this.set(id, node, digest);
    if (parent >= 0) this.#link(parent, name, id);
    return id;
  }

  /** Says something else of a node that stays where it is. */
  set(id: number, node: IndexNode, digest: string): void {
    const [record, at] = [this.#recordOf(id), atOf(id)];
    const kept = record.readUInt32LE(at + fields.bits) & (0xff << nameShift);
    record.writeUInt32LE((kept | (Number(node.type) << typeShift) | (node.mode & 0o7777)) >>> 0, at + fields.bits);
    record.writeUInt32LE(this.#say(node), at + fields.more);
    record.writeDoubleLE(node.size, at + fields.size);
    record.writeDoubleLE(node.mtime, at + fields.mtime);
    record.writeDoubleLE(node.offset, at + fields.offset);
    record.fill(0, at + fields.digest, at + recordBytes);
    record.write(digest, at + fields.digest, 'hex');
  }

  node(id: number): IndexNode {
    const [record, at] = [this.#recordOf(id), atOf(id)];
    const bits = record.readUInt32LE(at + fields.bits);
    const more = record.readUInt32LE(at + fields.more);
    return {
      type: String((bits >>> typeShift) & 7) as IndexNode['type'],
      mode: bits & 0o7777,
      size: record.readDoubleLE(at + fields.size),
      mtime: record.readDoubleLE(at + fields.mtime),
      offset: record.readDoubleLE(at + fields.offset),
      ...(more === 0 ? nothingMore : (JSON.parse(this.#read(more)) as typeof nothingMore)),
    };
  }

  isFolder(id: number): boolean {
    return ((this.#recordOf(id).readUInt32LE(atOf(id) + fields.bits) >>> typeShift) & 7) === 5;
  }

  /** Hexadecimal; '' for what has no content. */
  digest(id: number): string {
    const at = atOf(id);
    return this.isFile(id) ? this.#recordOf(id).toString('hex', at + fields.digest, at + recordBytes) : '';
  }

  isFile(id: number): boolean {
    return ((this.#recordOf(id).readUInt32LE(atOf(id) + fields.bits) >>> typeShift) & 7) === 0;
  }

  /** Names of what is in a folder, in no order. */
  names(folder: number): string[] {
    const found: string[] = [];
    for (let id = this.#int(folder, fields.first); id >= 0; id = this.#int(id, fields.next)) {
      const name = this.#nameOf(id);
      if (this.child(folder, name, 0, name.length) === id) found.push(name);
    }
    return found;
  }

  #link(parent: number, name: string, id: number): void {
    this.#recordOf(id).writeInt32LE(this.#int(parent, fields.first), atOf(id) + fields.next);
    this.#recordOf(parent).writeInt32LE(id, atOf(parent) + fields.first);
    this.#table[this.#slotOf(parent, name, 0, name.length)] = id + 1;
  }

  #growTable(): void {
    const before = this.#table;
    this.#table = new Int32Array(new SharedArrayBuffer(before.length * 2 * 4));
    for (const entry of before) {
      if (entry === 0) continue;
      const name = this.#nameOf(entry - 1);
      this.#table[this.#slotOf(this.#int(entry - 1, fields.parent), name, 0, name.length)] = entry;
    }
  }

  /** Where the child of this name stands in the table, or would. Whoever sends names does not know the seed, and cannot have them all in one place. */
  #slotOf(parent: number, path: string, start: number, end: number): number {
    let hash = Math.imul(this.#seed ^ parent, 0x9e3779b1);
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ path.charCodeAt(at) ^ (hash >>> 15), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    const last = this.#table.length - 1;
    for (let slot = (hash ^ (hash >>> 16)) & last; ; slot = (slot + 1) & last) {
      const id = (this.#table[slot] ?? 0) - 1;
      if (id < 0 || (this.#int(id, fields.parent) === parent && this.#isNamed(id, path, start, end))) return slot;
    }
  }

  #isNamed(id: number, path: string, start: number, end: number): boolean {
    const [record, at] = [this.#recordOf(id), atOf(id)];
    if (record.readUInt32LE(at + fields.bits) >>> nameShift !== end - start) return false;
    const name = record.readUInt32LE(at + fields.name);
    const [text, offset] = [this.#textViews[Math.trunc(name / textBytes)], (name % textBytes) + 2];
    for (let index = start; index < end; index++) if (text?.[offset + index - start] !== path.charCodeAt(index)) return false;
    return true;
  }

  #nameOf(id: number): string {
    return this.#read(this.#recordOf(id).readUInt32LE(atOf(id) + fields.name));
  }

  /** What few nodes have; 0 when there is none. The same is written once, if not much came in between. */
  #say({ uid, gid, linkName, deviceMajor, deviceMinor, capability, inode }: IndexNode): number {
    if (uid === 0 && gid === 0 && linkName === '' && deviceMajor === 0 && deviceMinor === 0 && capability === '' && inode === '') return 0;
    const text = JSON.stringify({ uid, gid, linkName, deviceMajor, deviceMinor, capability, inode });
    const known = this.#said.get(text);
    if (known !== undefined) return known;
    if (this.#said.size >= mostRemembered) this.#said.clear();
    const at = this.#write(text);
    this.#said.set(text, at);
    return at;
  }

  /** Text of latin1 characters, with its length before it. It begins at 2 at least, so that 0 means none. */
  #write(text: string): number {
    if (text.length > longestText) throw invalidArgument(`${text.length} bytes are said of a file, at most ${longestText}`);
    const needed = text.length + 2;
    if (this.#textEnd % textBytes === 0 || (this.#textEnd % textBytes) + needed > textBytes) {
      if (this.#texts.length >= mostTexts) throw invalidArgument(`names and links of more than ${mostTexts * textBytes} bytes`);
      this.#textEnd = this.#texts.length * textBytes + 2;
      this.#addText(new SharedArrayBuffer(textBytes));
    }
    const at = this.#textEnd;
    const view = this.#textViews[Math.trunc(at / textBytes)];
    view?.writeUInt16LE(text.length, at % textBytes);
    view?.write(text, (at % textBytes) + 2, 'latin1');
    this.#textEnd += needed;
    return at;
  }

  #read(at: number): string {
    const [view, offset] = [this.#textViews[Math.trunc(at / textBytes)], at % textBytes];
    return view?.toString('latin1', offset + 2, offset + 2 + view.readUInt16LE(offset)) ?? '';
  }

  #int(id: number, field: number): number {
    return this.#recordOf(id).readInt32LE(atOf(id) + field);
  }

  #recordOf(id: number): Buffer {
    const view = this.#recordViews[Math.trunc(id / recordsEach)];
    if (view === undefined) throw new RangeError(`no node ${id}`);
    return view;
  }

  #addRecords(memory: SharedArrayBuffer): void {
    this.#records.push(memory);
    this.#recordViews.push(Buffer.from(memory));
  }

  #addText(memory: SharedArrayBuffer): void {
    this.#texts.push(memory);
    this.#textViews.push(Buffer.from(memory));
  }
}

function atOf(id: number): number {
  return (id % recordsEach) * recordBytes;
}

/** Where in a record what stands. In `bits`: twelve of the mode, three of the type, and from 16 on the length of the name. */
const fields = { name: 0, parent: 4, next: 8, first: 12, bits: 16, more: 20, size: 24, mtime: 32, offset: 40, digest: 48 } as const;
const [typeShift, nameShift] = [12, 16];
const recordBytes = 80;
const recordsEach = 1024;
const textBytes = 64 * 1024;
const mostTexts = 4096;
const longestText = textBytes - 4;
const longestName = 255;
const firstSlots = 1024;
const mostRemembered = 256;
/** With the folders that nobody names, of an archive of a million entries. */
const mostNodes = 2_000_000;

const nothingMore = { uid: 0, gid: 0, linkName: '', deviceMajor: 0, deviceMinor: 0, capability: '', inode: '' };
