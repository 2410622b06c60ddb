/**
 * Go's path.Match: `*` and `?` stop at a slash, `[a-z]` and `[^a]` are sets, a backslash takes the next character as it is. Undefined for a
 * pattern that is none. Takes time in proportion to pattern and name, whatever they are.
 */
export function pathMatcher(pattern: string): ((name: string) => boolean) | undefined {
  const segments = pattern.split('/').map(readTokens);
  if (segments.some((tokens) => tokens === undefined)) return undefined;
  return (name) => {
    const parts = name.split('/');
    return parts.length === segments.length && segments.every((tokens, at) => matches(tokens ?? [], Array.from(parts[at] ?? '')));
  };
}

type Token = 'any' | ((character: string) => boolean);

function readTokens(segment: string): readonly Token[] | undefined {
  const characters = Array.from(segment);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') tokens.push('any');
    else if (character === '?') tokens.push(() => true);
    else if (character === '[') {
      const set = readSet(characters, at + 1);
      if (set === undefined) return undefined;
      tokens.push(set.token);
      at = set.end;
    } else {
      if (character === '\\') at += 1;
      const literal = characters[at];
      if (literal === undefined) return undefined;
      tokens.push((other) => other === literal);
    }
  }
  return tokens;
}

/** `at` is behind the opening bracket; `end` is the closing one. */
function readSet(characters: readonly string[], at: number): { readonly token: Token; readonly end: number } | undefined {
  const isNegated = characters[at] === '^';
  const ranges: (readonly [string, string])[] = [];
  let next = isNegated ? at + 1 : at;
  while (next < characters.length && (characters[next] !== ']' || ranges.length === 0)) {
    const low = readLiteral(characters, next);
    if (low === undefined) return undefined;
    const high = characters[low.next] === '-' ? readLiteral(characters, low.next + 1) : { value: low.value, next: low.next };
    if (high === undefined) return undefined;
    ranges.push([low.value, high.value]);
    next = high.next;
  }
  if (characters[next] !== ']') return undefined;
  const token = (character: string): boolean => ranges.some(([low, high]) => low <= character && character <= high) !== isNegated;
  return { token, end: next };
}

function readLiteral(characters: readonly string[], at: number): { readonly value: string; readonly next: number } | undefined {
  const character = characters[at];
  if (character === undefined || character === '-' || character === ']') return undefined;
  const value = character === '\\' ? characters[at + 1] : character;
  return value === undefined ? undefined : { value, next: character === '\\' ? at + 2 : at + 1 };
}

/** Only the last star is ever tried again: what an earlier one could take, the last can too. */
function matches(tokens: readonly Token[], characters: readonly string[]): boolean {
  let [token, character, star, retry] = [0, 0, -1, 0];
  while (character < characters.length) {
    const wanted = tokens[token];
    if (wanted === 'any') {
      star = token;
      retry = character;
      token += 1;
    } else if (wanted?.(characters[character] ?? '') === true) {
      token += 1;
      character += 1;
    } else if (star >= 0) {
      token = star + 1;
      retry += 1;
      character = retry;
    } else return false;
  }
  return tokens.slice(token).every((left) => left === 'any');
}
