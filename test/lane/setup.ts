import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDir, isSetUp, markSetUp, rootDir } from './cache.ts';
import { Apt, missingForSetup } from './setup-apt.ts';
import { bootstrap, run } from './setup-root.ts';

/**
 * Makes what guests boot from, in the cache, of Debian's packages: about five minutes, most of them for compiling ZFS. Set up already: nothing to do.
 * Nothing is installed on this machine. The modules of ZFS stay in the cache: CDDL code linked with a GPL kernel is not to be handed on.
 */
export function setUpLane({ timeoutMs = 60 * 60_000 }: { readonly timeoutMs?: number } = {}): void {
  if (isSetUp()) return;
  const missing = missingForSetup();
  if (missing !== undefined) throw new Error(`the kernel lane cannot be set up: ${missing}`);
  mkdirSync(cacheDir, { recursive: true });
  const locked = ['--pdeathsig', 'KILL', 'flock', '--no-fork', join(cacheDir, 'lock'), ...namespaces];
  const { status } = spawnSync('setpriv', [...locked, process.execPath, ...process.execArgv, import.meta.filename], {
    stdio: 'inherit',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (status === null) throw new Error(`the kernel lane is not set up: that takes more than ${timeoutMs / 60_000} minutes here`);
  if (status !== 0) throw new Error('setting up the kernel lane failed: what was said above tells why');
}

/** With the pid namespace goes everything that was started in it. */
const namespaces = 'unshare --mount --propagation private --pid --fork --kill-child --mount-proc --'.split(' ');

/** What the guests run, and what boots them: everything comes from one folder. */
const packages = [
  'kmod iproute2 procps util-linux mount e2fsprogs xfsprogs btrfs-progs zfsutils-linux attr acl umoci python3-minimal crun runc conmon busybox-static nftables',
  'libnftables1 openssl ca-certificates qemu-system-x86 virtiofsd',
].flatMap((names) => names.split(' '));

const began = performance.now();
const say = (text: string): void => console.log(`kernel lane: ${((performance.now() - began) / 1000).toFixed(0)} s: ${text}`);

function makeAll(): void {
  const apt = new Apt();
  apt.update();
  const image = apt.behind('linux-image-cloud-amd64');
  const version = image.replace('linux-image-', '');
  const modules = zfsModules(apt, version);
  const root = `${rootDir}.new`;
  bootstrap(apt, root, packages);
  say('root file system');
  for (const folder of ['guest', 'work', 'out', 'run']) mkdirSync(join(root, 'lane', folder), { recursive: true });
  for (const folder of ['work', 'out']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(join(import.meta.dirname, 'guest-init.sh'), join(root, 'lane/init'));
  chmodSync(join(root, 'lane/init'), 0o755);
  apt.unpack(image, root);
  symlinkSync(`vmlinuz-${version}`, join(root, 'boot/vmlinuz'));
  apt.unpack('user-mode-linux', root);
  // Debian puts them where the kernel that is a process looks, which is not where its modprobe does.
  for (const path of globSync(join(root, 'usr/lib/uml/modules/*'))) renameSync(path, join(root, 'usr/lib/modules', basename(path)));
  for (const path of globSync(join(modules, '*.ko'))) cpSync(path, join(root, 'usr/lib/modules', version, 'extra', basename(path)));
  for (const name of readdirSync(join(root, 'usr/lib/modules'))) run(['chroot', root, 'depmod', '-a', name]);
  say('kernels');
  rmSync(rootDir, { recursive: true, force: true });
  renameSync(root, rootDir);
  rmSync(join(cacheDir, 'apt/archives'), { recursive: true, force: true });
  markSetUp();
  say(`ready, in ${cacheDir}`);
}

/** The folder with ZFS' modules for this kernel, kept as long as neither changes. */
function zfsModules(apt: Apt, kernel: string): string {
  const folder = join(cacheDir, `zfs-${apt.version('zfs-dkms')}-${kernel}`);
  if (existsSync(folder)) return folder;
  const build = join(cacheDir, 'build');
  say('compiling ZFS');
  bootstrap(apt, build, [`linux-headers-${kernel}`, 'gcc', 'make', 'libc6-dev', 'kmod', 'xz-utils']);
  apt.unpack('zfs-dkms', build);
  copyFileSync(join(import.meta.dirname, 'setup-zfs.sh'), join(build, 'tmp/setup-zfs.sh'));
  run(['nice', '-n', '10', 'chroot', build, 'sh', '/tmp/setup-zfs.sh', kernel]);
  mkdirSync(`${folder}.new`, { recursive: true });
  for (const name of ['zfs.ko', 'spl.ko'])
    cpSync(globSync(join(build, 'usr/src/zfs-*/module', name))[0] ?? name, join(`${folder}.new`, name));
  renameSync(`${folder}.new`, folder);
  rmSync(build, { recursive: true, force: true });
  say('ZFS');
  return folder;
}

// Another may have done it while this one waited for the lock.
if (import.meta.main && !isSetUp()) makeAll();
