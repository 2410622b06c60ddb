import { invalidArgument } from '@gantry/sdk';

/** What a Dockerfile's JSON form says; undefined when the text is no JSON list of strings, which makes it shell form. */
export function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `a=1 b="two words"`, or the old form with one pair: `a the rest`. Quotes are taken off and $variables put in. */
export function pairs(name: string, text: string, env: readonly string[]): readonly (readonly [key: string, value: string])[] {
  const words = shellWords(text);
  if (!(words[0] ?? '').includes('=')) {
    const [, key = '', value] = /^(\S+)\s+(.+)$/s.exec(text) ?? [];
    if (value === undefined) throw invalidArgument(`${name} must have two arguments`);
    return [[key, unquoted(value, env)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw invalidArgument(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (equals === 0) throw invalidArgument(`${name} names can not be blank`);
    return [unquoted(word.slice(0, equals), env), unquoted(word.slice(equals + 1), env)];
  });
}

/** Words between spaces, as they are written: quoted ones keep their quotes and their spaces. */
export function shellWords(text: string): readonly string[] {
  const words: string[] = [];
  let [word, quote, isInside] = ['', '', false];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (quote === '' && /\s/.test(character)) {
      if (isInside) words.push(word);
      [word, isInside] = ['', false];
      continue;
    }
    isInside = true;
    word += character;
    if (character === '\\' && quote !== "'") word += text[++at] ?? '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  return isInside ? [...words, word] : words;
}

/** Takes off quotes and backslashes, and puts in $name, ${name}, ${name:-otherwise} and ${name:+instead}, as a shell would. */
export function unquoted(text: string, env: readonly string[]): string {
  let [result, quote] = ['', ''];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === '\\' && quote !== "'") {
      const next = text[++at] ?? '';
      result += quote === '"' && !'"\\$'.includes(next) ? `\\${next}` : next;
    } else if (character === '$' && quote !== "'") {
      const [whole, value] = variable(text.slice(at), env);
      result += value;
      at += whole.length - 1;
    } else result += character;
  }
  if (quote !== '')
    throw invalidArgument(`unexpected end of statement while looking for matching ${quote === '"' ? 'double' : 'single'}-quote`);
  return result;
}

function variable(text: string, env: readonly string[]): readonly [whole: string, value: string] {
  const [whole, plain, braced, operator, word = ''] = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\})/.exec(text) ?? [];
  if (whole === undefined) {
    if (text.startsWith('${')) throw invalidArgument(`unsupported modifier in substitution: ${text.slice(0, 40)}`);
    return ['$', '$'];
  }
  const name = `${plain ?? braced}=`;
  const value = env.find((entry) => entry.startsWith(name))?.slice(name.length) ?? '';
  if (operator === '-') return [whole, value === '' ? word : value];
  if (operator === '+') return [whole, value === '' ? '' : word];
  return [whole, value];
}
