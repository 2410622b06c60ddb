import { maxVersion, minVersion } from './headers.ts';

/** Where a request line points, before any route is looked up. */
export type Target =
  | { readonly kind: 'route'; readonly url: string; readonly version: number }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'refused'; readonly status: 400 | 404; readonly message: string; readonly plain?: boolean };

/**
 * Takes the version prefix off and makes image and plugin names one path segment, slashes and all, so that a router can match them.
 * Paths with `//`, `/./` or `/../` are sent to their clean form, as Go's mux does.
 */
export function targetOf(method: string, requestUrl: string): Target {
  const queryAt = requestUrl.indexOf('?');
  const path = queryAt < 0 ? requestUrl : requestUrl.slice(0, queryAt);
  const query = queryAt < 0 ? '' : requestUrl.slice(queryAt);
  if (unclean.test(path)) return cleaned(path, query);
  if (path.includes('%00')) return { kind: 'refused', status: 400, message: 'the path contains a NUL byte' };
  if (libpod.test(path)) return { kind: 'refused', status: 404, message: libpodMessage };
  const [, prefix, digits] = versionPrefix.exec(path) ?? [];
  if (prefix === undefined || digits === undefined) return { kind: 'route', url: joinName(method, path) + query, version: maxVersion };
  const version = minorOf(digits);
  if (Number.isNaN(version)) return notFoundTarget;
  if (version > maxVersion) return refuse(`client version ${digits} is too new. Maximum supported API version is 1.${maxVersion}`);
  if (version < minVersion) {
    const message = `client version ${digits} is too old. Minimum supported API version is 1.${minVersion}, please upgrade your client to a newer version`;
    return { ...refuse(message), plain: true };
  }
  return { kind: 'route', url: joinName(method, path.slice(prefix.length)) + query, version };
}

const unclean = /\/\/|\/\.{1,2}(\/|$)/;
const versionPrefix = /^(\/v([0-9.]+))\//;
/** What podman asks with `--remote`, under versions of its own. */
const libpod = /^(\/v[0-9.]+)?\/libpod\//;
const libpodMessage = "this engine speaks Docker's API and not podman's own (libpod): use the docker command line";
const notFoundTarget: Target = { kind: 'refused', status: 404, message: 'page not found' };
const refuse = (message: string) => ({ kind: 'refused', status: 400, message }) as const;

function cleaned(path: string, query: string): Target {
  if (path.endsWith('/..')) return notFoundTarget;
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return { kind: 'redirect', location: `/${segments.join('/')}${query}` };
}

/** 51 of "1.51"; below 1 for version 0, above every minor for version 2; NaN when it is no version. */
function minorOf(digits: string): number {
  if (!/^\d+(\.\d+)*$/.test(digits)) return Number.NaN;
  const [major = 0, minor = 0] = digits.split('.').map(Number);
  return major === 1 ? minor : (major - 1) * Number.MAX_SAFE_INTEGER;
}

const named = /^\/(images|plugins|distribution|gantry\/v1\/plugins)\//;

function joinName(method: string, path: string): string {
  const [prefix] = named.exec(path) ?? [];
  if (prefix === undefined) return path;
  const rest = path.slice(prefix.length);
  const verbAt = method === 'DELETE' ? rest.length : rest.lastIndexOf('/');
  if (verbAt < 0) return path;
  return prefix + rest.slice(0, verbAt).replaceAll('/', '%2F') + rest.slice(verbAt);
}
