import type { Program, ProgramIo } from './memory-program.ts';

/**
 * `sh -c SCRIPT` for programs in memory: lists, `( )`, `while … do … done`, `trap`, `$name`, quotes, `>&2`, and the few commands that tests
 * of containers need. Anything else is "not found", 127.
 */
export const memoryShell: Program = (io) => new Shell(io).run(io.args[2] ?? '');

type Token = string | { readonly word: string; readonly isLiteral: boolean };

const signals: Readonly<Record<string, number>> = { HUP: 1, INT: 2, USR1: 10, USR2: 12, TERM: 15 };

/** The end of the shell, from however deep. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

class Shell {
  readonly #io: ProgramIo;
  readonly #variables: Map<string, string>;
  /** Traps whose signal has come, for between two commands. */
  readonly #due: string[] = [];
  #last = 0;

  constructor(io: ProgramIo, variables: ReadonlyMap<string, string> = new Map()) {
    this.#io = io;
    this.#variables = new Map(variables);
  }

  async run(script: string): Promise<number> {
    try {
      await this.#list(tokens(script));
      return this.#last;
    } catch (error) {
      if (error instanceof Exit) return error.code;
      throw error;
    }
  }

  async #list(given: readonly Token[]): Promise<void> {
    for (const command of split(given)) {
      await this.#command(command);
      for (const trap of this.#due.splice(0)) await this.#list(tokens(trap));
    }
  }

  async #command(command: readonly Token[]): Promise<void> {
    if (command[0] === '(') {
      const inner = command.slice(1, -1);
      this.#last = await this.#io.fork(async (io) => {
        const shell = new Shell(io, this.#variables);
        return shell.#ended(inner);
      });
      return;
    }
    const words = command.flatMap((token) => (typeof token === 'string' ? [] : [token]));
    if (words[0]?.word === 'while') return this.#while(command);
    const isStderr = command.includes('>&2');
    const [name = '', ...args] = words.map((token) => this.#expanded(token));
    this.#last = await this.#builtin(name, args, isStderr ? 'stderr' : 'stdout');
  }

  async #ended(inner: readonly Token[]): Promise<number> {
    try {
      await this.#list(inner);
      return this.#last;
    } catch (error) {
      if (error instanceof Exit) return error.code;
      throw error;
    }
  }

  async #while(command: readonly Token[]): Promise<void> {
    const begin = command.findIndex((token) => isWord(token, 'do'));
    const condition = command.slice(1, begin);
    const body = command.slice(begin + 1, -1);
    for (;;) {
      await this.#list(condition);
      if (this.#last !== 0) return;
      await this.#list(body);
    }
  }

  async #builtin(name: string, args: readonly string[], source: 'stdout' | 'stderr'): Promise<number> {
    const { stdin, terminal } = this.#io;
    switch (name) {
      case 'true':
        return 0;
      case 'false':
        return 1;
      case 'exit':
        throw new Exit(Number(args[0] ?? this.#last));
      case 'echo':
        await this.#io.print(`${args.join(' ')}\n`, source);
        return 0;
      case 'sleep':
        await this.#io.sleep(Number(args[0]) * 1e3);
        return 0;
      case 'read':
        return this.#read(args[0] ?? 'REPLY');
      case 'cat':
        for (let bytes = await stdin.read(); bytes !== undefined; bytes = await stdin.read()) await this.#io.print(bytes, source);
        return 0;
      case 'head':
        return this.#zeros(Number(args[1]));
      case 'trap':
        return this.#trap(args);
      case 'stty':
        if (terminal === undefined) return 1;
        if (args[0] === 'size') await this.#io.print(`${terminal.rows} ${terminal.columns}\n`);
        if (args[0] === '-opost') terminal.isCooked = false;
        return 0;
      default:
        await this.#io.print(`sh: ${name}: not found\n`, 'stderr');
        return 127;
    }
  }

  async #read(name: string): Promise<number> {
    const line = await this.#io.stdin.line();
    this.#variables.set(name, line ?? '');
    return line === undefined ? 1 : 0;
  }

  /** `head -c N /dev/zero` */
  async #zeros(count: number): Promise<number> {
    const chunk = Buffer.alloc(1 << 16);
    for (let left = count; left > 0; left -= chunk.length) await this.#io.print(chunk.subarray(0, Math.min(left, chunk.length)));
    return 0;
  }

  #trap([action = '', ...names]: readonly string[]): number {
    for (const name of names) this.#io.onSignal(signals[name] ?? 0, () => void (action !== '' && this.#due.push(action)));
    return 0;
  }

  #expanded(token: Exclude<Token, string>): string {
    if (token.isLiteral) return token.word;
    return token.word.replaceAll(/\$(\?|\w+)/g, (_, name: string) =>
      name === '?' ? String(this.#last) : (this.#variables.get(name) ?? ''),
    );
  }
}

const isWord = (token: Token, word: string): boolean => typeof token !== 'string' && !token.isLiteral && token.word === word;

/** Operators are strings; a word is all that stands together, literal in single quotes. */
function tokens(script: string): readonly Token[] {
  const found: Token[] = [];
  for (const [text] of script.matchAll(/>&2|[;()\n]|'[^']*'|"[^"]*"|[^\s;()'">]+/g)) {
    if (/^(>&2|[;()\n])$/.test(text)) found.push(text === '\n' ? ';' : text);
    else if (text.startsWith("'")) found.push({ word: text.slice(1, -1), isLiteral: true });
    else found.push({ word: text.startsWith('"') ? text.slice(1, -1) : text, isLiteral: false });
  }
  return found;
}

/** The commands of a list: a loop and what is in parentheses are one each. */
function split(given: readonly Token[]): readonly (readonly Token[])[] {
  const commands: Token[][] = [[]];
  let depth = 0;
  for (const token of given) {
    if (token === '(' || isWord(token, 'while')) depth += 1;
    if (token === ')' || isWord(token, 'done')) depth -= 1;
    if (token === ';' && depth === 0) commands.push([]);
    else commands.at(-1)?.push(token);
  }
  return commands.filter((command) => command.length > 0).map(withoutEdges);
}

/** "do ; sleep 1 ;" → "do sleep 1" */
function withoutEdges(command: readonly Token[]): readonly Token[] {
  const begin = command.findIndex((token) => token !== ';');
  const end = command.findLastIndex((token) => token !== ';');
  return command.slice(begin, end + 1);
}
