import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { messageOf } from '@gantry/sdk/errors';
import { readConfigFile } from '../../../daemon/file.ts';
import { defaultConfigFile } from '../../../daemon/parse.ts';
import { fail, type Finding, ok, warn } from '../../../finding.ts';
import { examineUserNamespaces, userNamespaceFacts } from './user-namespaces.ts';

/** Kernel, rights, disk and settings of this machine. */
export function examineHost(): readonly Finding[] {
  return [kernel(), rights(), cgroups(), overlay(), ...namespaces(), seccomp(), forwarding(), disk(), ...settings()];
}

const oldestKernel = [5, 2] as const;

function kernel(): Finding {
  const version = release();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > oldestKernel[0] || (major === oldestKernel[0] && minor >= oldestKernel[1])) return ok('kernel', version);
  return fail('kernel', `${version} is too old`, `containers need Linux ${oldestKernel.join('.')} or later: its calls for mounts are used`);
}

function rights(): Finding {
  if (process.getuid?.() === 0) return ok('rights', 'root');
  return warn('rights', 'this user is not root', 'an engine needs root: sudo gantryd; its socket can be given to a group');
}

function cgroups(): Finding {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return ok('cgroups', 'version 2');
  const missing = ['memory', 'cpu', 'pids', 'devices', 'freezer'].filter((name) => !existsSync(`/sys/fs/cgroup/${name}`));
  if (missing.length === 0) {
    if (!existsSync('/sys/fs/cgroup/unified')) return ok('cgroups', 'version 1');
    return warn(
      'cgroups',
      'version 1 with the tree of version 2 beside it: crun refuses that, runc does not',
      'boot with systemd.unified_cgroup_hierarchy=1',
    );
  }
  return fail('cgroups', `no ${missing.join(', ')} below /sys/fs/cgroup`, 'mount the cgroup file systems, or boot a kernel that has them');
}

function overlay(): Finding {
  if (/\toverlay$/m.test(read('/proc/filesystems'))) return ok('overlay', 'the kernel has it');
  return warn('overlay', 'the kernel does not know the file system', 'modprobe overlay; without it images are copied by the vfs driver');
}

function namespaces(): readonly Finding[] {
  const missing = ['mnt', 'net', 'pid', 'ipc', 'uts'].filter((name) => !existsSync(`/proc/self/ns/${name}`));
  if (missing.length === 0) return [ok('namespaces', 'mnt, net, pid, ipc, uts')];
  return missing.map((name) => fail('namespaces', `the kernel has no ${name} namespaces`, 'boot a kernel that was made with them'));
}

function seccomp(): Finding {
  if (/^Seccomp:/m.test(read('/proc/self/status'))) return ok('seccomp', 'the kernel has it');
  return fail(
    'seccomp',
    'the kernel has none',
    'boot a kernel with CONFIG_SECCOMP_FILTER, or run containers with --security-opt seccomp=unconfined',
  );
}

function forwarding(): Finding {
  if (read('/proc/sys/net/ipv4/ip_forward').trim() === '1') return ok('forwarding', 'is on');
  return ok('forwarding', 'is off: the first network that needs it switches it on');
}

const wantedBytes = 2 * 2 ** 30;

function disk(): Finding {
  const folder = ['/var/lib/gantry', '/var/lib', '/'].find((path) => existsSync(path)) ?? '/';
  const { bavail, bsize } = statfsSync(folder);
  const free = `${((bavail * bsize) / 2 ** 30).toFixed(1)} GiB are free in ${folder}`;
  return bavail * bsize >= wantedBytes ? ok('disk', free) : warn('disk', free, 'gantry system prune, or another --data-root');
}

function settings(): readonly Finding[] {
  try {
    const wish = readConfigFile(defaultConfigFile, { isRequired: false }).get('userns-remap');
    const message = existsSync(defaultConfigFile) ? `${defaultConfigFile} can be read` : `no ${defaultConfigFile}: the defaults hold`;
    return [ok('settings', message), examineUserNamespaces(typeof wish === 'string' ? wish : '', userNamespaceFacts(release()))];
  } catch (error) {
    return [fail('settings', messageOf(error), 'gantryd --validate says the same')];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
