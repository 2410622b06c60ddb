import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mount, mountOverlay } from '@gantry/sdk/linux';
import { runClient } from '../clients/clients.ts';
import type { CliResult } from '../clients/docker-api.ts';

const program = '/lib/systemd/systemd';
const top = join(import.meta.dirname, '../../..');
const startMs = 60_000;

/** Why systemd cannot be booted here; undefined when it can be tried. */
export function missingForSystemd(): string | undefined {
  if (!existsSync(program)) return 'needs systemd';
  return ['systemctl', 'nsenter'].some((name) => !existsSync(join('/usr/bin', name))) ? 'needs systemctl and nsenter' : undefined;
}

/** Of this machine's units none that touches the machine: devices, modules, sysctls and disks are its own. */
const masked = `
  systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket
  systemd-udevd-kernel.socket systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
  proc-sys-fs-binfmt_misc.mount systemd-modules-load.service systemd-sysctl.service
  kmod-static-nodes.service systemd-tmpfiles-setup-dev.service systemd-random-seed.service
  dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  systemd-hwdb-update.service systemd-remount-fs.service systemd-journal-catalog-update.service
  systemd-boot-system-token.service systemd-pstore.service systemd-firstboot.service
  systemd-sysusers.service systemd-timesyncd.service systemd-networkd.service
  systemd-resolved.service systemd-logind.service getty.target
  systemd-repart.service systemd-machine-id-commit.service systemd-update-utmp.service
  dbus.service dbus.socket
`
  .trim()
  .split(/\s+/);

/**
 * This machine's systemd as process 1 of a pid namespace, with this machine's files for its root, of which nothing is changed, an empty /etc/systemd/system and devices of its
 * own: what is installed here can be enabled, started and looked at there. Only inside `inNamespaces` with cgroups v2. Ended, with all below it, by dispose.
 */
export class Systemd implements AsyncDisposable {
  /** Of its process 1, here. */
  readonly pid: number;
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  static async boot(): Promise<Systemd> {
    const folder = mkdtempSync(join(tmpdir(), 'systemd-'));
    const root = makeRoot(folder);
    const cgroup = '/sys/fs/cgroup/machine';
    mkdirSync(cgroup, { recursive: true });
    // The cgroup is entered before its namespace is made, so that it is the root inside.
    const script = `echo $$ >${cgroup}/cgroup.procs && exec unshare --cgroup --mount --pid --uts --ipc --fork --kill-child sh -c "$1" sh "$2"`;
    const inside = `cd "$1" && umount -R /sys/fs/cgroup && mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
      mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys && mount --bind proc/sys/net proc/sys/net && mount -o remount,bind,rw proc/sys/net &&
      pivot_root . old && cd / && umount -l /old && exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin ${program} --system --unit=multi-user.target --log-target=console`;
    const holder = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', script, 'sh', inside, root], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [holder.stdout, holder.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
    for (const deadline = Date.now() + startMs; ; await sleep(50)) {
      const pid = processBelow(holder.pid ?? 0);
      if (pid !== undefined && existsSync(`/proc/${pid}/root/run/systemd/private`)) {
        const systemd = new Systemd(holder, pid);
        const { stdout } = await systemd.run('systemctl', 'is-system-running', '--wait');
        if (/^(running|degraded)/.test(stdout)) return systemd;
        said += stdout;
      }
      if (holder.exitCode !== null || Date.now() > deadline) {
        holder.kill('SIGKILL');
        throw new Error(`systemd does not start:\n${said}`);
      }
    }
  }

  /** Runs a command among its processes. */
  async run(...command: readonly string[]): Promise<CliResult> {
    const enter = ['nsenter', '--target', String(this.pid), '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--wd=/'];
    return runClient([...enter, ...command], { cwd: '/', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: '/tmp' } });
  }

  /** A path of its root, from here. */
  path(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
  }
}

function makeRoot(folder: string): string {
  const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [root, upper, work]) mkdirSync(path);
  mountOverlay({ lower: ['/'], upper, work, target: root });
  for (const name of ['run', 'tmp', 'dev', 'var/lib', 'var/log', 'var/tmp'])
    mount('tmpfs', join(root, name), { type: 'tmpfs', data: 'mode=755' });
  for (const path of [top, dirname(process.execPath)]) {
    mkdirSync(join(root, path), { recursive: true });
    mount(path, join(root, path), { flags: new Set(['bind']) });
  }
  makeDevices(root);
  rmSync(join(root, 'etc/systemd/system'), { recursive: true, force: true });
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
  for (const unit of masked) symlinkSync('/dev/null', join(root, 'etc/systemd/system', unit));
  writeFileSync(join(root, 'etc/fstab'), '');
  writeFileSync(join(root, 'etc/machine-id'), `${'0123456789abcdef'.repeat(2)}\n`);
  mkdirSync(join(root, 'old'));
  return root;
}

/** Documentation/admin-guide/devices.txt of the kernel. */
const devices = [
  ['null', '1', '3'],
  ['zero', '1', '5'],
  ['full', '1', '7'],
  ['random', '1', '8'],
  ['urandom', '1', '9'],
  ['tty', '5', '0'],
] as const;

function makeDevices(root: string): void {
  // Of its own: it may change their modes.
  for (const [name, major, minor] of devices) execFileSync('mknod', ['-m', '666', join(root, 'dev', name), 'c', major, minor]);
  for (const name of ['shm', 'pts', 'mqueue']) mkdirSync(join(root, 'dev', name));
  mount('devpts', join(root, 'dev/pts'), { type: 'devpts', data: 'newinstance,ptmxmode=0666,mode=620' });
  symlinkSync('pts/ptmx', join(root, 'dev/ptmx'));
  symlinkSync('/proc/self/fd', join(root, 'dev/fd'));
}

/** setpriv and sh become unshare, whose child is process 1. */
function processBelow(pid: number): number | undefined {
  try {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    return child > 0 && readFileSync(`/proc/${child}/comm`, 'utf8') === 'systemd\n' ? child : undefined;
  } catch {
    return undefined;
  }
}
