import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** `run` is what the engine and its demo need; `test` adds what only the tests use. */
export type SetupKind = 'run' | 'test';

/**
 * Installs what is missing, by apt and without questions, saying what and why; starts no service.
 * Where it may not (not root) or cannot (no apt), it prints what is missing and goes on. Answers what is still missing.
 */
export function ensureTools(kind: SetupKind): readonly string[] {
  const missing = missingTools(kind);
  if (missing.length === 0) return [];
  for (const { needs, why } of missing) console.log(`missing: ${needs.join(' or ')}, ${why}`);
  const packages = [...new Set(missing.map(packageOf))];
  if (!existsSync('/usr/bin/apt-get')) console.log('no apt here: install the above with the package manager of this machine');
  else if (process.getuid?.() !== 0) console.log(`run this once: sudo apt-get install --no-install-recommends ${packages.join(' ')}`);
  else install(packages);
  return missingTools(kind).flatMap(({ needs }) => needs.slice(0, 1));
}

interface Tool {
  readonly kind: SetupKind;
  /** Commands, or absolute paths, any of which will do. */
  readonly needs: readonly string[];
  /** Debian's packages, the preferred one first. */
  readonly packages: readonly string[];
  readonly why: string;
  /** Whether this machine needs it at all. */
  readonly when?: () => boolean;
}

const tools: readonly Tool[] = [
  { kind: 'run', needs: ['conmon'], packages: ['conmon'], why: 'it keeps containers alive while the engine restarts' },
  { kind: 'run', needs: ['crun', 'runc'], packages: ['crun'], why: 'it makes the container out of the bundle' },
  {
    kind: 'run',
    needs: ['runc'],
    packages: ['runc'],
    why: 'crun cannot work with the hybrid cgroups of this machine',
    when: () => existsSync('/sys/fs/cgroup/unified'),
  },
  { kind: 'run', needs: libraries('libnftables.so.1'), packages: ['libnftables1'], why: 'published ports are nftables rules' },
  { kind: 'run', needs: ['ps'], packages: ['procps'], why: 'docker top shows what ps says' },
  { kind: 'run', needs: ['mount'], packages: ['mount'], why: 'it knows file systems that need a helper, such as nfs' },
  { kind: 'run', needs: ['busybox'], packages: ['busybox-static'], why: 'the demo and the tests make their image from it' },
  { kind: 'test', needs: ['runc'], packages: ['runc'], why: 'both runtimes are tested' },
  { kind: 'test', needs: ['nft'], packages: ['nftables'], why: 'tests look at the rules' },
  { kind: 'test', needs: ['/usr/lib/cni/bridge'], packages: ['containernetworking-plugins'], why: 'CNI networks are tested with them' },
  { kind: 'test', needs: ['iptables'], packages: ['iptables'], why: 'CNI plugins make their rules with it' },
  { kind: 'test', needs: ['ip'], packages: ['iproute2'], why: 'tests look at links and addresses' },
  { kind: 'test', needs: ['unshare'], packages: ['util-linux'], why: 'tests run in private namespaces' },
  { kind: 'test', needs: ['openssl'], packages: ['openssl'], why: 'tests make certificates' },
  { kind: 'test', needs: ['rsyslogd'], packages: ['rsyslog'], why: 'the syslog log driver is tested against it' },
  { kind: 'test', needs: libraries('rsyslog/lmnsd_ossl.so'), packages: ['rsyslog-openssl'], why: 'rsyslogd receives by tls with it' },
  { kind: 'test', needs: ['/lib/systemd/systemd-journald'], packages: ['systemd'], why: 'the journald log driver is tested against it' },
  { kind: 'test', needs: ['umoci'], packages: ['umoci'], why: 'images must look as it unpacks them' },
  { kind: 'test', needs: ['skopeo'], packages: ['skopeo'], why: 'images go to and come from it' },
  { kind: 'test', needs: ['podman'], packages: ['podman'], why: 'images go to and come from it' },
  {
    kind: 'test',
    needs: ['linux.uml'],
    packages: ['user-mode-linux'],
    why: 'tests of size limits need a kernel with project quotas, which this one is not',
    when: () => process.arch === 'x64' && !hasProjectQuotas(),
  },
  { kind: 'test', needs: ['mkfs.ext4'], packages: ['e2fsprogs'], why: 'tests use disks of their own' },
  { kind: 'test', needs: ['mkfs.btrfs'], packages: ['btrfs-progs'], why: 'the btrfs driver is tested on such a disk' },
  {
    kind: 'test',
    needs: ['docker-registry'],
    packages: ['docker-registry'],
    why: 'plugins are pushed to and fetched from a real registry',
  },
  {
    kind: 'test',
    needs: ['/usr/lib/python3/dist-packages/docker'],
    packages: ['python3-docker'],
    why: 'the docker module of Python is tested against the engine',
  },
  {
    kind: 'test',
    needs: ['/usr/bin/docker-compose'],
    packages: ['docker-compose'],
    why: 'compose is tested against the engine',
  },
  { kind: 'test', needs: ['docker'], packages: ['docker-cli', 'docker.io'], why: 'the real client is tested against the engine' },
];

/** Where the kernel tells what it was made with; the tests themselves try. */
function hasProjectQuotas(): boolean {
  const path = '/proc/config.gz';
  return existsSync(path) && /^CONFIG_QFMT_V2=[ym]$/m.test(gunzipSync(readFileSync(path)).toString());
}

function missingTools(kind: SetupKind): readonly Tool[] {
  return tools.filter((tool) => (kind === 'test' || tool.kind === 'run') && tool.when?.() !== false && !tool.needs.some(isThere));
}

function isThere(need: string): boolean {
  if (need.startsWith('/')) return existsSync(need);
  // The system's folders count even when a user's PATH leaves them out.
  return [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'].some((folder) =>
    existsSync(join(folder, need)),
  );
}

function libraries(name: string): string[] {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return [`/usr/lib/${triplet}/${name}`, `/lib/${triplet}/${name}`, `/usr/lib64/${name}`, `/usr/lib/${name}`];
}

function packageOf({ packages }: Tool): string {
  const known = packages.length === 1 ? packages : packages.filter(isKnownToApt);
  return known[0] ?? packages.join(' ');
}

function isKnownToApt(name: string): boolean {
  return execFileSync('apt-cache', ['search', '--names-only', `^${name}$`], { encoding: 'utf8' }).trim() !== '';
}

function install(packages: readonly string[]): void {
  console.log(`installing ${packages.join(' ')} (apt-get)`);
  using _quiet = withoutServices();
  const options = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=120'];
  try {
    apt('update', ...options);
    apt('install', ...options, '--no-install-recommends', ...packages);
  } catch (error) {
    console.log(`apt-get failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function apt(...given: readonly string[]): void {
  execFileSync('apt-get', given, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}

/** Debian starts the services of what it installs unless policy-rc.d answers 101 (invoke-rc.d(8)). */
function withoutServices(): Disposable {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return { [Symbol.dispose]: () => undefined };
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return { [Symbol.dispose]: () => rmSync(policy, { force: true }) };
}
