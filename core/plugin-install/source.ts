import { invalidArgument } from '@gantry/sdk';
import { parseReference, type Reference, withDefaultTag } from '../references/index.ts';

/** Where a plugin is to come from. */
export type PluginSource =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'tarball'; readonly path: string }
  | { readonly kind: 'npm'; readonly name: string; readonly range: string }
  | { readonly kind: 'registry'; readonly reference: Reference };

/**
 * Reads what users write: "folder:/path" or an absolute path, "npm:name@range", an absolute path to a .tgz, "oci:reference", or a reference
 * as docker takes it. `invalid_argument` for everything else. Looks at no file.
 */
export function parseSource(text: string): PluginSource {
  if (text === '' || text.length > maxLength || /\p{Cc}/u.test(text)) throw unreadable(text);
  const [, scheme = '', rest = ''] = /^([a-z]+):(?!\d+(?:\/|$))(.*)$/.exec(text) ?? [];
  if (scheme === 'folder') return { kind: 'folder', path: absolute(rest, text) };
  if (scheme === 'npm') return npmSource(rest, text);
  if (scheme === 'oci') return registrySource(rest);
  if (text.startsWith('/')) return { kind: /\.(tgz|tar\.gz)$/.test(text) ? 'tarball' : 'folder', path: absolute(text, text) };
  if (text.startsWith('.')) throw invalidArgument(`plugin source ${shown(text)} is a relative path`, { hint: 'give the whole path' });
  return registrySource(text);
}

const maxLength = 4096;
const npmName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
// Versions, ranges and tags only: what has a colon or a slash would send npm elsewhere than to its registry.
const npmRange = /^[\w.^~<>=|*+ -]+$/;

function absolute(path: string, text: string): string {
  if (!path.startsWith('/')) throw invalidArgument(`plugin source ${shown(text)} needs an absolute path`);
  return path;
}

function npmSource(spec: string, text: string): PluginSource {
  const at = spec.indexOf('@', 1);
  const name = at < 0 ? spec : spec.slice(0, at);
  const range = at < 0 ? 'latest' : spec.slice(at + 1);
  if (name.length > 214 || !npmName.test(name) || name.startsWith('-') || range.startsWith('-') || !npmRange.test(range)) {
    throw invalidArgument(`plugin source ${shown(text)} names no npm package`, {
      hint: 'write npm:name, npm:name@1.2.3 or npm:@scope/name@^1',
    });
  }
  return { kind: 'npm', name, range };
}

function registrySource(text: string): PluginSource {
  return { kind: 'registry', reference: withDefaultTag(parseReference(text)) };
}

function unreadable(text: string): Error {
  return invalidArgument(`plugin source ${shown(text)} cannot be read`, { hint: 'give a folder, a .tgz, npm:NAME or a reference' });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
