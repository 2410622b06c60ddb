import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Which program of this network namespace has a port, as "nginx (process 123)"; undefined when it cannot be found. For messages: it looks
 * through the descriptors of every process, some 10 ms.
 */
export function portUser(kind: 'tcp' | 'udp', port: number): string | undefined {
  const sockets = new Set([`/proc/net/${kind}`, `/proc/net/${kind}6`].flatMap((table) => inodesOf(table, port)));
  if (sockets.size === 0) return undefined;
  const own = String(process.pid);
  const pid = listed('/proc').find((name) => /^\d+$/.test(name) && name !== own && holdsOne(name, sockets));
  if (pid === undefined) return undefined;
  return `${textOf(`/proc/${pid}/comm`).trim()} (process ${pid})`;
}

/** proc_net_tcp(5): local address and port in hexadecimal in the second column, the socket's inode in the tenth. */
function inodesOf(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return textOf(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap((columns) => (columns[1]?.endsWith(suffix) === true && columns[9] !== undefined && columns[9] !== '0' ? [columns[9]] : []));
}

function holdsOne(pid: string, inodes: ReadonlySet<string>): boolean {
  return listed(`/proc/${pid}/fd`).some((fd) => {
    try {
      const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
