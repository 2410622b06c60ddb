import { invalidArgument } from '../errors.ts';

export interface ExpandOptions {
  /** Undefined: not set. */
  readonly lookup: (name: string) => string | undefined;
  /** The Dockerfile's escape character. */
  readonly escape?: string | undefined;
  /** Not a word but a file's text: quotes stay, and only a dollar is escaped. */
  readonly isText?: boolean;
}

/**
 * A word of a Dockerfile as the builder sees it: quotes and escapes taken off, variables put in. `$x`, `${x}`, `${x:-otherwise}`,
 * `${x:+instead}`, `${x:?complaint}`, each also without the colon, `${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`, `${x/p/r}`, `${x//p/r}`.
 */
export function expand(text: string, options: ExpandOptions): string {
  return new Expansion(text, options).all();
}

const longestText = 64 * 1024;
const mostStars = 8;

class Expansion {
  readonly #text: string;
  readonly #options: ExpandOptions;
  readonly #escape: string;
  #at = 0;

  constructor(text: string, options: ExpandOptions) {
    this.#text = text;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
  }

  all(): string {
    return this.#until('');
  }

  /** Up to one of these characters, which stays to be read; or the end, which none of them may be. */
  #until(stops: string): string {
    let result = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        if (stops === '') return result;
        throw invalidArgument(`unexpected end of statement while looking for matching ${stops.at(0)}`);
      }
      if (stops !== '' && stops.includes(character)) return result;
      this.#at += 1;
      if (this.#options.isText === true) result += this.#inText(character);
      else if (character === "'") result += this.#single();
      else if (character === '"') result += this.#double();
      else if (character === '$') result += this.#dollar();
      else if (character === this.#escape) result += this.#text[this.#at++] ?? '';
      else result += character;
    }
  }

  #inText(character: string): string {
    if (character === '$') return this.#dollar();
    if (character !== this.#escape || this.#text[this.#at] !== '$') return character;
    this.#at += 1;
    return '$';
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw invalidArgument('unexpected end of statement while looking for matching single-quote');
    const inner = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let result = '';
    for (;;) {
      const character = this.#text[this.#at++];
      if (character === undefined) throw invalidArgument('unexpected end of statement while looking for matching double-quote');
      if (character === '"') return result;
      if (character === '$') result += this.#dollar();
      else if (character === this.#escape) {
        const next = this.#text[this.#at] ?? '';
        if (next !== '' && ['"', '$', this.#escape].includes(next)) this.#at += 1;
        result += next !== '' && ['"', '$', this.#escape].includes(next) ? next : character;
      } else result += character;
    }
  }

  #dollar(): string {
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#options.lookup(name) ?? '');
    }
    this.#at += 1;
    const name = this.#name();
    if (name === '') throw invalidArgument('syntax error: bad substitution');
    const value = this.#options.lookup(name);
    const result = this.#modified(name, value);
    if (this.#text[this.#at] !== '}') throw invalidArgument("syntax error: missing '}'");
    this.#at += 1;
    return result;
  }

  #name(): string {
    const [name = ''] = /^(?:[A-Za-z_]\w*|\d+|[@*#])/.exec(this.#text.slice(this.#at, this.#at + 1024)) ?? [];
    // A brace may begin a modifier: only a real name is one here.
    const found = /^[@*#]/.test(name) ? '' : name;
    this.#at += found.length;
    return found;
  }

  #modified(name: string, value: string | undefined): string {
    const modifier = this.#text[this.#at];
    if (modifier === '}') return value ?? '';
    if (modifier === undefined) throw invalidArgument("syntax error: missing '}'");
    this.#at += 1;
    if (modifier === ':' || '+-?'.includes(modifier)) {
      const isEmptyUnset = modifier === ':';
      const operator = isEmptyUnset ? (this.#text[this.#at++] ?? '') : modifier;
      if (operator === '' || !'+-?'.includes(operator))
        throw invalidArgument(`unsupported modifier (${modifier}${operator}) in substitution`);
      return this.#otherwise(operator, { name, value, isSet: value !== undefined && !(isEmptyUnset && value === '') });
    }
    if (modifier === '#' || modifier === '%') return this.#trimmed(modifier, value ?? '');
    if (modifier === '/') return this.#replaced(value ?? '');
    throw invalidArgument(`unsupported modifier (${modifier}) in substitution`);
  }

  #otherwise(
    operator: string,
    { name, value = '', isSet }: { readonly name: string; readonly value: string | undefined; readonly isSet: boolean },
  ): string {
    const word = this.#until('}');
    if (operator === '+') return isSet ? word : '';
    if (isSet) return value;
    if (operator === '-') return word;
    throw invalidArgument(`${name}: ${word === '' ? 'is not allowed to be unset' : word}`);
  }

  #trimmed(side: '#' | '%', value: string): string {
    const isGreedy = this.#text[this.#at] === side;
    if (isGreedy) this.#at += 1;
    const pattern = patternOf(this.#raw('}'));
    const cuts = Array.from({ length: value.length + 1 }, (_, at) => at);
    const lengths = isGreedy ? cuts.toReversed() : cuts;
    for (const length of lengths) {
      const part = side === '#' ? value.slice(0, length) : value.slice(value.length - length);
      if (pattern.test(part)) return side === '#' ? value.slice(length) : value.slice(0, value.length - length);
    }
    return value;
  }

  #replaced(value: string): string {
    const isEvery = this.#text[this.#at] === '/';
    if (isEvery) this.#at += 1;
    const pattern = this.#raw('/}');
    let replacement = '';
    if (this.#text[this.#at] === '/') {
      this.#at += 1;
      replacement = this.#until('}');
    }
    if (pattern === '') return value;
    return value.replace(new RegExp(sourceOf(pattern), isEvery ? 'gs' : 's'), () => replacement);
  }

  /** A pattern: variables put in, backslashes kept for the pattern's own use. */
  #raw(stops: string): string {
    let result = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw invalidArgument("syntax error: missing '}'");
      if (stops.includes(character)) break;
      this.#at += 1;
      if (character === '$') result += this.#dollar().replaceAll(/[*?\\]/g, '\\$&');
      else if (character === this.#escape) result += `\\${this.#text[this.#at++] ?? ''}`;
      else result += character;
    }
    return result;
  }
}

function patternOf(pattern: string): RegExp {
  return new RegExp(`^${sourceOf(pattern)}$`, 's');
}

/** `*` and `?` as in a shell. Few stars, so that nothing can take long. */
function sourceOf(pattern: string): string {
  if (pattern.length > longestText || (pattern.match(/\*/g) ?? []).length > mostStars)
    throw invalidArgument(`pattern ${JSON.stringify(pattern.slice(0, 80))} has more than ${mostStars} stars or is too long`);
  return pattern.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return (part.length > 1 ? part.slice(1) : part).replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
}
