import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict, forbidden, fromErrno, internal, unavailable } from '@gantry/sdk/errors';
import { nodeFlags } from '../daemon/node-flags.ts';
import { mark, unitFiles } from './units.ts';

export interface ServicePlace {
  /** The folder that is to count as /: "/" is this machine, where systemd is told as well. */
  readonly root: string;
  readonly socketPath: string;
  readonly group: string;
}

/** Writes the units, and has systemd listen on the socket from now on and at each boot. A second call writes them anew. Answers the files. */
export function installService({ root, socketPath, group }: ServicePlace): readonly string[] {
  refuseWithoutSystemd(root);
  const command = [process.execPath, ...nodeFlags, daemonProgram()];
  const units = unitFiles({ command, socketPath, ...(hasGroup(root, group) ? { group } : {}) });
  const paths = Object.keys(units).map((name) => join(folderIn(root), name));
  for (const path of paths) refuseForeign(path);
  try {
    mkdirSync(folderIn(root), { recursive: true });
    for (const [name, text] of Object.entries(units)) writeFileSync(join(folderIn(root), name), text, { mode: 0o644 });
  } catch (error) {
    throw fromErrno(error, 'write the units');
  }
  if (root === '/') {
    systemctl('daemon-reload');
    systemctl('enable', '--now', 'gantry.socket');
    systemctl('enable', 'gantry.service');
  }
  return paths;
}

/** The undo: stops the engine, not its containers, and removes what was written. Nothing written: nothing to do. Answers the files that went. */
export function uninstallService({ root }: Pick<ServicePlace, 'root'>): readonly string[] {
  refuseWithoutSystemd(root);
  const paths = ['gantry.service', 'gantry.socket'].map((name) => join(folderIn(root), name)).filter((path) => existsSync(path));
  for (const path of paths) refuseForeign(path);
  if (root === '/' && paths.length > 0) systemctl('disable', '--now', 'gantry.socket', 'gantry.service');
  for (const path of paths) rmSync(path, { force: true });
  if (root === '/' && paths.length > 0) systemctl('daemon-reload');
  return paths;
}

const folderIn = (root: string): string => join(root, 'etc/systemd/system');

function refuseWithoutSystemd(root: string): void {
  if (root !== '/') return;
  if (process.getuid?.() !== 0) throw forbidden('units are written by root', { hint: 'use sudo' });
  // sd_booted(3)
  if (!existsSync('/run/systemd/system'))
    throw unavailable('this machine was not started by systemd', { hint: 'start gantryd by what starts services here' });
}

/** Somebody's own unit of that name is his. */
function refuseForeign(path: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8').startsWith(mark)) return;
  throw conflict(`${path} is there, and gantry did not write it`, { hint: 'move it away first' });
}

function hasGroup(root: string, group: string): boolean {
  try {
    return new RegExp(`^${RegExp.escape(group)}:`, 'm').test(readFileSync(join(root, 'etc/group'), 'utf8'));
  } catch {
    return false;
  }
}

function systemctl(...words: readonly string[]): void {
  const { status, stderr } = spawnSync('systemctl', words, { encoding: 'utf8' });
  if (status !== 0) throw internal(`systemctl ${words.join(' ')} failed: ${stderr.trim() || `it ended with ${status}`}`);
}

/** Next to the program that runs, wherever it was installed. */
function daemonProgram(): string {
  return join(dirname(realpathSync(process.argv[1] ?? '')), 'gantryd.mjs');
}
