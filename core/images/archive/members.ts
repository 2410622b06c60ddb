import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fromErrno, invalidArgument } from '@gantry/sdk';
import { digestOf, type Ingested } from '../../content/index.ts';
import { maxDocumentBytes, parseDocument } from '../json/parse.ts';

/** What an archive holds under a name. Only regular files have bytes; nothing is ever opened by a name that the archive says. */
export type Member =
  | { readonly kind: 'small'; readonly bytes: Buffer }
  | ({ readonly kind: 'file' } & Ingested)
  | { readonly kind: 'link'; readonly target: string | undefined }
  | { readonly kind: 'other'; readonly what: string };
export type RegularMember = Extract<Member, { readonly kind: 'small' | 'file' }>;

const maxLinks = 40;

/** The members of an image archive by clean name; of two with the same name the later counts, as it would if they were unpacked. */
export class Members {
  readonly #members = new Map<string, Member>();
  readonly #newPath: () => string;

  constructor(newPath: () => string) {
    this.#newPath = newPath;
  }

  set(name: string, member: Member): void {
    this.#members.set(name, member);
  }

  get count(): number {
    return this.#members.size;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Whether something is called that, or may be, where a folder is a link. */
  mayHave(name: string): boolean {
    const path = cleanName(name);
    return path !== undefined && (this.#members.has(path) || this.#hasLinkAbove(path));
  }

  /** A regular file of the archive, through links of the archive. `invalid_argument` when there is none; `what` says who asks. */
  regular(name: string, what: string): RegularMember {
    const member = this.#follow(name, what);
    if (member.kind === 'small' || member.kind === 'file') return member;
    const seen = member.kind === 'other' ? member.what : 'a link';
    throw invalidArgument(`${what}: ${quoted(name)} is ${seen} in the archive, not a regular file`);
  }

  /** The bytes of a document of at most 4 MiB. */
  bytes(name: string, what: string): Buffer {
    const member = this.regular(name, what);
    if (member.kind === 'small') return member.bytes;
    if (member.sizeBytes > maxDocumentBytes) {
      throw invalidArgument(`${what}: ${quoted(name)} has ${member.sizeBytes} bytes, at most ${maxDocumentBytes}`);
    }
    try {
      return readFileSync(member.path);
    } catch (error) {
      throw fromErrno(error, `read ${what}`);
    }
  }

  document(name: string): unknown {
    return parseDocument(this.bytes(name, name), name);
  }

  /** The member as a file, as layers want it. */
  async file(name: string, what: string): Promise<Ingested> {
    const member = this.regular(name, what);
    if (member.kind === 'file') return member;
    const file = { kind: 'file', path: this.#newPath(), digest: digestOf(member.bytes), sizeBytes: member.bytes.length } as const;
    await writeFile(file.path, member.bytes, { flag: 'wx', mode: 0o600 });
    const isPlain = this.#members.get(name) === member;
    if (isPlain) this.set(name, file);
    return file;
  }

  #follow(name: string, what: string): Member {
    let path = cleanName(name);
    for (let links = 0; links < maxLinks && path !== undefined; links += 1) {
      const member = this.#members.get(path);
      if (member !== undefined && member.kind !== 'link') return member;
      if (member === undefined) {
        const through: string | undefined = this.#throughLinkedFolder(path);
        if (through === undefined && !this.#hasLinkAbove(path)) throw invalidArgument(`${what}: the archive has no ${quoted(name)}`);
        path = through;
      } else path = member.target;
    }
    throw invalidArgument(`${what}: ${quoted(name)} is a link that leads out of the archive or in circles`);
  }

  #hasLinkAbove(path: string): boolean {
    return foldersOf(path).some((folder) => this.#members.get(folder)?.kind === 'link');
  }

  /** The same path with its first folder that is a link replaced by where that leads. */
  #throughLinkedFolder(path: string): string | undefined {
    for (const folder of foldersOf(path)) {
      const member = this.#members.get(folder);
      if (member?.kind === 'link') return member.target === undefined ? undefined : cleanName(member.target + path.slice(folder.length));
    }
    return undefined;
  }
}

/** "./a//b/../c" is "a/c"; undefined for what climbs out or is the root itself. */
export function cleanName(name: string): string | undefined {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.length === 0 ? undefined : parts.join('/');
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
