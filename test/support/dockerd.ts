import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Daemon, type DaemonOptions } from './daemon.ts';

/** A folder into which the packages docker.io, containerd, runc and tini were unpacked, for machines that have no dockerd of their own. */
const unpacked = process.env['GANTRY_TEST_DOCKERD'];
const path = [
  ...(unpacked === undefined ? [] : ['usr/bin', 'usr/sbin'].map((folder) => join(unpacked, folder))),
  process.env['PATH'] ?? '',
].join(delimiter);

/** Why Docker's own daemon cannot be run here; undefined when it can. */
export function missingForDockerd(): string | undefined {
  const missing = ['dockerd', 'containerd', 'runc', 'docker'].filter(
    (program) => !path.split(delimiter).some((folder) => isProgram(join(folder, program))),
  );
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

/** Docker's own daemon in a folder of its own, without networks of its own. Only inside `inNamespaces`. */
export function startDockerd({ folder, flags = [] }: Pick<DaemonOptions, 'folder' | 'flags'>): Promise<Daemon> {
  const own = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs'];
  return Daemon.start({
    folder,
    flags,
    startTimeoutMs: 60_000,
    env: { PATH: path },
    command: ({ dataRoot, execRoot, socketPath }) => [
      join(path.split(delimiter).find((each) => isProgram(join(each, 'dockerd'))) ?? '', 'dockerd'),
      `--data-root=${dataRoot}`,
      `--exec-root=${execRoot}`,
      `--host=unix://${socketPath}`,
      `--pidfile=${join(folder, 'pid')}`,
      ...own,
    ],
  });
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
