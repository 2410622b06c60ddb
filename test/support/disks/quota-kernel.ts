import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inNamespaces, missingForNamespaces, runSkipped } from '../machine/namespaces.ts';

/**
 * Called at the top of a test file that needs project quotas on ext4 and xfs: runs it in private namespaces where this kernel has them, else in a
 * user-mode Linux (Debian: user-mode-linux), which is a kernel of its own as a process, over this machine's files and with a /run in memory.
 * With neither the file counts as one skipped test.
 */
export function inQuotaKernel(fileUrl: string): void {
  if (process.env[insideMark] !== undefined) return;
  const file = fileURLToPath(fileUrl);
  const missing = missingForNamespaces();
  if (missing !== undefined) process.exit(runSkipped(file, missing));
  if (process.env['GANTRY_TEST_INSIDE'] !== undefined || hasQuotas()) return inNamespaces(fileUrl);
  const kernel = kernels.find((path) => existsSync(path));
  if (kernel === undefined) process.exit(runSkipped(file, 'needs a kernel with project quotas, or user-mode-linux'));
  process.exit(runInside(kernel, file));
}

const insideMark = 'GANTRY_TEST_UML';
const kernels = [process.env['GANTRY_UML'] ?? '', '/usr/bin/linux.uml'];
/** In the order in which they need each other; one that is built in is no file. */
const modules = ['fs/quota/quota_tree', 'fs/quota/quota_v2', 'fs/overlayfs/overlay', 'drivers/block/loop'];

/** Tried for real: what a kernel was configured with is not always told. */
function hasQuotas(): boolean {
  const image = join(mkdtempSync(join(tmpdir(), 'quota-')), 'image');
  const script = `truncate -s 16M ${image} && mkfs.ext4 -q -F -O project,quota -E quotatype=prjquota ${image} && mount -o loop,prjquota ${image} ${dirname(image)}`;
  const { status } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { stdio: 'ignore' });
  rmSync(dirname(image), { recursive: true, force: true });
  return status === 0;
}

function runInside(kernel: string, file: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'quota-kernel-'));
  try {
    const init = join(folder, 'init');
    writeFileSync(init, initScript(kernel, file, folder), { mode: 0o755 });
    const argv = ['mem=1536M', 'quiet', 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${init}`, 'con=null', 'con0=null,fd:1'];
    // One that stands still is killed with this process, by node --test.
    spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', kernel, ...argv], { stdio: 'ignore', env: { ...process.env, TMPDIR: '/dev/shm' } });
    // One of before Linux 6.13 has no room for the registers of some processors (AMX), and panics at its first process.
    if (!existsSync(join(folder, 'began'))) return runSkipped(file, `needs a processor that ${basename(kernel)} runs on`);
    process.stdout.write(readOr(join(folder, 'stdout'), Buffer.alloc(0)));
    process.stderr.write(readOr(join(folder, 'stderr'), Buffer.from(`${basename(kernel)} did not come as far as the test\n`)));
    return Number(readOr(join(folder, 'status'), Buffer.from('1')).toString());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Process 1 in there. Its console is slow and not for bytes, so what the test says goes through files. */
function initScript(kernel: string, file: string, folder: string): string {
  const command = [process.execPath, ...process.execArgv, file].map((word) => `'${word}'`).join(' ');
  const context = process.env['NODE_TEST_CONTEXT'];
  return [
    '#!/bin/sh',
    `: >${folder}/began`,
    'mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 1777 /run/tmp',
    ...modulesOf(kernel).map((path) => `/bin/busybox insmod ${path}`),
    `export ${insideMark}=1 GANTRY_TEST_INSIDE=1 TMPDIR=/run/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    ...(context === undefined ? [] : [`export NODE_TEST_CONTEXT='${context}'`]),
    `${command} >${folder}/stdout 2>${folder}/stderr; echo $? >${folder}/status`,
    'echo o >/proc/sysrq-trigger; sleep 60',
    '',
  ].join('\n');
}

function modulesOf(kernel: string): readonly string[] {
  const [root = ''] = globSync(join(dirname(kernel), '../lib/uml/modules/*/kernel'));
  return modules.map((name) => join(root, `${name}.ko`)).filter((path) => existsSync(path));
}

function readOr(path: string, otherwise: Buffer): Buffer {
  return existsSync(path) ? readFileSync(path) : otherwise;
}
