import { isAbsolute, normalize } from 'node:path';
import { internal } from '@gantry/sdk';
import type { Scope } from './settings.ts';

/** A host path, and for a plugin with folders of its own what is below. */
export type Place = { readonly host: string; readonly subpath?: string };

/** The kernel's own file systems: no volume is there, and a container must not get them by a plugin's mistake. */
const forbiddenRoots = ['/proc', '/sys', '/dev'];

/**
 * A path that a plugin answered, as a place on this machine. Plugins with folders of their own are only believed about those; the part
 * below is then resolved inside, so that no symlink leads out. What is no clean absolute path is the plugin's mistake.
 */
export function placeOf(mountpoint: string, scopes: readonly Scope[], plugin: string): Place {
  const fail = (why: string) => internal(`plugin ${plugin} answered mountpoint ${JSON.stringify(mountpoint.slice(0, 300))}, ${why}`);
  const path = mountpoint.replace(/(?<=.)\/+$/, '');
  if (!isAbsolute(path)) throw fail('which is not absolute');
  if (path.includes('\0') || normalize(path) !== path) throw fail('which is not a clean path');
  if (scopes.length > 0) return scoped(path, scopes) ?? raise(fail('which is outside of its folders'));
  if (path === '/' || forbiddenRoots.some((root) => path === root || path.startsWith(`${root}/`))) throw fail('which no volume may be');
  return { host: path };
}

/** The same place as text, for looking at it. */
export function textOfPlace({ host, subpath }: Place): string {
  return subpath === undefined ? host : `${host}/${subpath}`;
}

function scoped(path: string, scopes: readonly Scope[]): Place | undefined {
  for (const { inside, host } of scopes) {
    if (path === inside) return inside === '/' ? undefined : { host };
    const prefix = inside === '/' ? '/' : `${inside}/`;
    if (path.startsWith(prefix)) return { host, subpath: path.slice(prefix.length) };
  }
  return undefined;
}

function raise(error: Error): never {
  throw error;
}
