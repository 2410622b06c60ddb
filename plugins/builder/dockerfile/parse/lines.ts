import { invalidArgument } from '@gantry/sdk';
import { parseError } from './complaint.ts';
import { type Heredoc, heredocsOf, takesHeredocs } from './heredocs.ts';

/** One instruction as it is written: continued lines joined, comments between them left out. */
export interface Line {
  readonly file: string;
  /** Of its first line, from 1 on. */
  readonly line: number;
  readonly lastLine: number;
  /** In capitals. */
  readonly name: string;
  /** What stands behind the name. */
  readonly rest: string;
  /** The whole, on one line. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}
export interface Lines {
  readonly escape: string;
  /** Of `# syntax=`: accepted, since what it names is not run. */
  readonly syntax: string;
  readonly lines: readonly Line[];
}

/** As in BuildKit's reader. */
const longestLine = 64 * 1024;

/** Takes a file apart. Throws what is wrong with it as a whole, or with a line. */
export function readLines(bytes: Buffer, file: string): Lines {
  const raw = textOf(bytes, file).split('\n');
  const { escape, syntax, next } = directivesOf(raw, file);
  const reader = new Reader(raw, { file, escape, next });
  const lines: Line[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
  if (lines.length === 0) throw invalidArgument(`the Dockerfile (${file}) cannot be empty`);
  return { escape, syntax, lines };
}

function textOf(bytes: Buffer, file: string): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw invalidArgument(`${file} is UTF-16: a Dockerfile is UTF-8`);
  const zero = bytes.indexOf(0);
  if (zero >= 0) throw invalidArgument(`${file} has a NUL byte at ${zero}: a Dockerfile is text`);
  return bytes
    .toString()
    .replace(/^\u{FEFF}/u, '')
    .replaceAll('\r\n', '\n');
}

/** Only at the very top, until the first line that is none. */
function directivesOf(raw: readonly string[], file: string): { readonly escape: string; readonly syntax: string; readonly next: number } {
  const found = new Map<string, string>();
  let next = 0;
  for (; next < raw.length; next++) {
    const [, key = '', value = ''] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec((raw[next] ?? '').slice(0, longestLine)) ?? [];
    const name = key.toLowerCase();
    if (!['syntax', 'escape', 'check'].includes(name)) break;
    const place = { file, line: next + 1, text: raw[next] ?? '' };
    if (found.has(name)) throw parseError(place, `only one ${name} parser directive can be used`);
    if (name === 'escape' && value !== '\\' && value !== '`') throw parseError(place, `invalid ESCAPE '${value}'. Must be \` or \\`);
    found.set(name, value);
  }
  return { escape: found.get('escape') ?? '\\', syntax: found.get('syntax') ?? '', next };
}

class Reader {
  readonly #raw: readonly string[];
  readonly #file: string;
  readonly #escape: string;
  #next: number;

  constructor(raw: readonly string[], { file, escape, next }: { readonly file: string; readonly escape: string; readonly next: number }) {
    this.#raw = raw;
    this.#file = file;
    this.#escape = escape;
    this.#next = next;
  }

  next(): Line | undefined {
    let text = '';
    let first = 0;
    for (; this.#next < this.#raw.length; ) {
      const given = this.#raw[this.#next++] ?? '';
      if (given.length > longestLine)
        throw parseError(
          { file: this.#file, line: this.#next, text: given },
          `a line of ${given.length} characters, at most ${longestLine}`,
        );
      const trimmed = given.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      if (text === '') first = this.#next;
      const { piece, isContinued } = this.#piece(text === '' ? given.trimStart() : given);
      text += piece;
      if (!isContinued) break;
    }
    return text.trim() === '' ? undefined : this.#line(text.trim(), first);
  }

  /** An escape character at the end goes on with the next line, unless it is escaped itself. */
  #piece(line: string): { readonly piece: string; readonly isContinued: boolean } {
    const end = line.replace(/[ \t]+$/, '');
    if (!end.endsWith(this.#escape) || end.endsWith(this.#escape.repeat(2))) return { piece: line, isContinued: false };
    return { piece: end.slice(0, -1), isContinued: true };
  }

  #line(text: string, line: number): Line {
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
    const name = word.toUpperCase();
    const place = { file: this.#file, line, lastLine: this.#next, text };
    const heredocs = takesHeredocs(name, rest) ? heredocsOf(rest, this.#escape).map((start) => this.#heredoc(start, place)) : [];
    return { ...place, lastLine: this.#next, name, rest: rest.trim(), heredocs };
  }

  #heredoc(start: Omit<Heredoc, 'content'>, place: { readonly file: string; readonly line: number; readonly text: string }): Heredoc {
    let content = '';
    while (this.#next < this.#raw.length) {
      const given = this.#raw[this.#next++] ?? '';
      const line = start.stripsTabs ? given.replace(/^\t+/, '') : given;
      if (line === start.name) return { ...start, content };
      content += `${line}\n`;
    }
    throw parseError(place, `unterminated heredoc: nothing ends <<${start.name}`);
  }
}
