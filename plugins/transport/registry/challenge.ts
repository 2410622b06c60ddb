export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The challenges of a WWW-Authenticate header (RFC 9110, 11.6.1); what cannot be read ends the list. */
export function challengesOf(header: string): readonly Challenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Record<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (at < header.length && challenges.length < 10) {
    take(/[\s,]*/y);
    const parameter = take(/([\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y);
    const current = challenges.at(-1);
    if (parameter !== null && current !== undefined) {
      const [, name = '', quoted, plain = ''] = parameter;
      current.parameters[name.toLowerCase()] ??= quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1');
      continue;
    }
    const scheme = take(/[A-Za-z][\w-]*(?=[\s,]|$)/y);
    if (parameter !== null || scheme === null) break;
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters: Object.create(null) as Record<string, string> });
  }
  return challenges;
}
