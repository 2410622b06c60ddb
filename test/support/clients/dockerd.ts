import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type MountinfoEntry, mount, mountOverlay, readMountinfo } from '@gantry/sdk/linux';
import { Daemon, type DaemonOptions } from '../engine/daemon.ts';
import { dockerdRoot } from './dockerd-root.ts';

/**
 * A mount namespace with Debian's files for its root, thrown away at the end, and of this machine the kernel, /dev and the test's own /run. Docker's daemons in it may follow
 * each other, and containers stay. Only inside `inNamespaces`, where `prepareDockerd` found what is needed.
 */
export class DockerdHouse implements Disposable {
  readonly #pid: number;
  readonly #leave: () => void;

  private constructor(pid: number, leave: () => void) {
    this.#pid = pid;
    this.#leave = leave;
  }

  /** `binds` are folders that it has where they are. */
  static async open({ binds = [] }: { readonly binds?: readonly string[] } = {}): Promise<DockerdHouse> {
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join('/run/dockerd', name)) as [string, string, string];
    for (const path of [root, upper, work]) mkdirSync(path, { recursive: true });
    mountOverlay({ lower: [dockerdRoot], upper, work, target: root });
    for (const name of ['proc', 'sys', 'dev', 'run'])
      mount(`/${name}`, join(root, name), { flags: new Set(name === 'run' ? ['bind'] : ['bind', 'rec']) });
    for (const path of binds) {
      mkdirSync(join(root, path), { recursive: true });
      mount(path, join(root, path), { flags: new Set(['bind']) });
    }
    mkdirSync(join(root, 'old'));
    // The shell stays in it until its input ends.
    const script = 'cd "$1" && pivot_root . old && cd / && umount -l /old && echo entered && read -r _';
    const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', root], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const failed = once(holder, 'exit').then(() => Promise.reject(new Error("dockerd's root cannot be entered")));
    await Promise.race([once(holder.stdout, 'data'), failed]);
    failed.catch(() => {});
    return new DockerdHouse(holder.pid ?? 0, () => holder.stdin.end());
  }

  /** Docker's own daemon, with its data in a folder below /run and without networks of its own. */
  start({ folder, flags = [] }: Pick<DaemonOptions, 'folder' | 'flags'>): Promise<Daemon> {
    const own = ['--log-level=warn', '--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs'];
    return Daemon.start({
      folder,
      flags,
      startTimeoutMs: 60_000,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      command: ({ dataRoot, execRoot, socketPath }) => [
        '/usr/bin/nsenter',
        `--mount=/proc/${this.#pid}/ns/mnt`,
        '/usr/sbin/dockerd',
        `--data-root=${dataRoot}`,
        `--exec-root=${execRoot}`,
        `--host=unix://${socketPath}`,
        `--pidfile=${join(folder, 'pid')}`,
        ...own,
      ],
    });
  }

  mounts(): readonly MountinfoEntry[] {
    return readMountinfo(this.#pid);
  }

  [Symbol.dispose](): void {
    this.#leave();
  }
}
