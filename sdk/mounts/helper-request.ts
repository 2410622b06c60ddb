import { existsSync } from 'node:fs';
import { basename, join, normalize } from 'node:path';
import { forbidden, invalidArgument, notFound } from '../errors.ts';
import type { Helper } from '../types/index.ts';
import type { CheckedHelper, MountGrants } from './types.ts';

const defaultReadyMs = 10_000;
const longestReadyMs = 120_000;
const mostFiles = 64;
const mostBytes = 1 << 20;
const searched = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Where a helper sees what it was given under a name. */
export const placeOf = (kind: 'file' | 'path', name: string): string => `/run/gantry/${kind}s/${name}`;

/** Throws `invalid_argument`, `forbidden` or `not_found` naming the plugin and what is wrong. */
export function checkHelper(helper: Helper, { plugin, helpers: granted }: MountGrants): CheckedHelper {
  const fail = (what: string) => invalidArgument(`plugin ${plugin}: ${what}`);
  if (granted === undefined) throw forbidden(`plugin ${plugin} may not have helpers`);
  const { argv, env = [], files = {}, paths = {}, readyTimeoutMs = defaultReadyMs, capabilities = [] } = helper;
  const [word = '', ...rest] = argv;
  for (const text of [...argv, ...env]) if (text.includes('\0')) throw fail(`a helper's argument has a NUL byte inside`);
  for (const name of [...Object.keys(files), ...Object.keys(paths)])
    if (!/^[A-Za-z0-9_][\w.-]{0,63}$/.test(name)) throw fail(`a helper's file or path cannot be named ${JSON.stringify(name)}`);
  const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
  if (Object.keys(files).length > mostFiles || bytes > mostBytes)
    throw fail(`a helper's files are more than ${mostFiles} or ${mostBytes} bytes`);
  if (readyTimeoutMs < 1 || readyTimeoutMs > longestReadyMs)
    throw fail(`a helper's readyTimeoutMs ${readyTimeoutMs} is not 1 to ${longestReadyMs}`);
  const filled = (text: string): string =>
    text.replace(/\{(file|path):([^{}]*)\}/g, (_, kind: 'file' | 'path', name: string) => {
      if (!Object.hasOwn(kind === 'file' ? files : paths, name))
        throw fail(`a helper's ${JSON.stringify(text)} names a ${kind} that is not given`);
      return placeOf(kind, name);
    });
  const program = programOf(word, { plugin, codeDir: granted.codeDir });
  return {
    program: basename(program),
    argv: [program, ...rest.map(filled)],
    env: { PATH: searched.join(':'), ...Object.fromEntries(env.map((pair) => assignment(filled(pair), fail))) },
    files: Object.entries(files).map(([name, content]) => ({ path: placeOf('file', name), bytes: content })),
    capabilities: checkedCapabilities(capabilities, granted.capabilities, plugin),
    readyTimeoutMs,
  };
}

function assignment(pair: string, fail: (what: string) => Error): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw fail(`a helper's environment ${JSON.stringify(pair)} is not NAME=value`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function programOf(word: string, { plugin, codeDir }: { readonly plugin: string; readonly codeDir: string }): string {
  if (word.startsWith('/')) return word;
  if (word.startsWith('./')) {
    const path = normalize(word);
    if (path.startsWith('../')) throw forbidden(`plugin ${plugin}: its helper ${word} is not below its code`);
    return join(codeDir, path);
  }
  if (word === '' || word.includes('/')) throw invalidArgument(`plugin ${plugin}: a helper's program cannot be ${JSON.stringify(word)}`);
  const found = searched.map((folder) => join(folder, word)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw notFound(`plugin ${plugin}: its helper ${word} is not installed on this machine`, { hint: `install the package that has ${word}` });
}

/** What a helper asks for must be what its plugin has. */
function checkedCapabilities(wanted: readonly string[], granted: readonly string[], plugin: string): readonly string[] {
  const unknown = wanted.find((name) => !/^CAP_[A-Z_]+$/.test(name));
  if (unknown !== undefined) throw invalidArgument(`plugin ${plugin}: a helper cannot have capability ${JSON.stringify(unknown)}`);
  const beyond = wanted.find((name) => !granted.includes(name) && !granted.includes('ALL'));
  if (beyond === undefined) return wanted;
  throw forbidden(`plugin ${plugin}: its helper asks for ${beyond}, which the plugin was not granted`, {
    hint: 'its manifest has to ask for it in privileges.capabilities',
  });
}
