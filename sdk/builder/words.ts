import { invalidArgument } from '../errors.ts';
import { expand, type ExpandOptions } from './expand.ts';

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
export function pairs(name: string, text: string, options: ExpandOptions): readonly (readonly [key: string, value: string])[] {
  const words = shellWords(text, options.escape);
  if (!(words[0] ?? '').includes('=')) {
    const [, key = '', value] = /^(\S+)\s+(.+)$/s.exec(text) ?? [];
    if (value === undefined) throw invalidArgument(`${name} must have two arguments`);
    return [[key, expand(value, options)]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw invalidArgument(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (equals === 0) throw invalidArgument(`${name} names can not be blank`);
    return [expand(word.slice(0, equals), options), expand(word.slice(equals + 1), options)];
  });
}

/** Words between spaces, as they are written: quoted ones keep their quotes and their spaces. */
export function shellWords(text: string, escape = '\\'): readonly string[] {
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
    if (character === escape && quote !== "'") word += text[++at] ?? '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  return isInside ? [...words, word] : words;
}
