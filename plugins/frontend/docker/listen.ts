import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { conflict, fromErrno, invalidArgument } from '@gantry/sdk';
import { closeOnExec, socketDomain } from '@gantry/sdk/linux';

/** Listens on "unix:///path", "fd://" (systemd's first socket, or "fd://N") or "tcp://host:port"; resolves when connections are accepted. */
export async function listen(server: Server, host: string, socketGroup: string | undefined): Promise<void> {
  const [scheme = '', rest = ''] = host.split('://', 2);
  if (scheme === 'unix' && rest.startsWith('/')) return listenOnPath(server, rest, socketGroup);
  if (scheme === 'fd') {
    const fd = passedFd(rest);
    closeOnExec(fd);
    return bind(server, { fd }, host);
  }
  const [, name = '', port = ''] = /^tcp:\/\/(.+):(\d{1,5})$/.exec(host) ?? [];
  if (port !== '' && Number(port) < 65_536) return bind(server, { host: name.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }, host);
  throw invalidArgument(`cannot listen on "${host}": it must be unix:///path, fd://N or tcp://host:port`);
}

/** Whether a host can be reached over a network, as a socket that systemd passed may be too. */
export function isTcp(host: string): boolean {
  if (!host.startsWith('fd://')) return host.startsWith('tcp://');
  try {
    return socketDomain(passedFd(host.slice('fd://'.length))) !== unixDomain;
  } catch (error) {
    throw invalidArgument(`cannot listen on ${host}: no socket was passed there`, {
      hint: 'systemd passes them: see sd_listen_fds(3)',
      cause: error,
    });
  }
}

/** sd_listen_fds(3). */
const firstPassedFd = 3;
const unixDomain = 1;

const passedFd = (number: string): number => (number === '' ? firstPassedFd : Number(number));

async function listenOnPath(server: Server, path: string, socketGroup: string | undefined): Promise<void> {
  // sun_path of unix(7) has 108 bytes with the final NUL; longer ones would be cut off silently.
  if (Buffer.byteLength(path) > 107) throw invalidArgument(`the socket path ${path} is longer than 107 bytes`);
  const group = socketGroup === undefined ? 0 : groupId(socketGroup);
  const made = mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  if (made !== undefined) chownSync(dirname(path), process.getuid?.() ?? 0, group);
  await removeStale(path);
  await bind(server, { path }, path);
  chownSync(path, process.getuid?.() ?? 0, group);
  chmodSync(path, 0o660);
}

const backlog = 1_024;

type Place = { readonly path: string } | { readonly fd: number } | { readonly host: string; readonly port: number };

function bind(server: Server, place: Place, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(fromErrno(error, `listening on ${host}`));
    server.once('error', onError);
    // The socket is made during this call: nobody else may connect before it has its owner and mode.
    const umask = process.umask(0o177);
    server.listen({ ...place, backlog }, () => {
      server.off('error', onError);
      resolve();
    });
    process.umask(umask);
  });
}

/** A socket that nobody answers is left from a crash; one that answers is somebody else's, anything else is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw conflict(`${path} is there and is not a socket`);
  if (await answers(path)) throw conflict(`another process listens on ${path}`);
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** group(5); root's when there is no such group: then only root may connect. */
function groupId(name: string): number {
  const entry = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([group, , id]) => group === name || id === name);
  return Number(entry?.[2] ?? 0);
}
