import { readFileSync } from 'node:fs';
import { fromErrno } from '@gantry/sdk/errors';
import { parseKeyValue } from './key-value.ts';
import { refuse } from './refuse.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `-e`: "KEY=value", or "KEY" for the caller's own value; a KEY the caller has not is left out. */
export function parseEnv(text: string, environment: Environment = process.env): readonly string[] {
  const [name] = parseKeyValue(text);
  if (text.includes('=')) return [text];
  const inherited = environment[name];
  return inherited === undefined ? [] : [`${name}=${inherited}`];
}

/** One variable per line as for `-e`; lines that start with # and empty ones are skipped, nothing is unquoted. */
export function readEnvFile(path: string, environment: Environment = process.env): readonly string[] {
  return readLines(path).flatMap(({ line, where }) => {
    const [name = ''] = line.split('=', 1);
    if (name === '' || /\s/.test(name)) throw refuse(line, `is not a variable (${where})`, 'a name has no blanks; write KEY=value');
    return parseEnv(line, environment);
  });
}

/** One label per line: key=value or key. */
export function readLabelFile(path: string): readonly (readonly [key: string, value: string])[] {
  return readLines(path).map(({ line, where }) => {
    const [key, value] = parseKeyValue(line);
    if (/\s/.test(key)) throw refuse(line, `is not a label (${where})`, 'a key has no blanks; write key=value');
    return [key, value] as const;
  });
}

function readLines(path: string): readonly { readonly line: string; readonly where: string }[] {
  return readText(path)
    .replace(/^\u{FEFF}/u, '')
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trimStart(), where: `${path}:${index + 1}` }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fromErrno(error, 'cannot read the file');
  }
}
