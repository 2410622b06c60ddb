import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import { run } from '@gantry/sdk/linux';
import { removeCgroup } from './cgroups/remove.ts';
import { searchPath } from './monitor.ts';
import { runRuntime } from './run-runtime.ts';
import type { Runtime } from './runtimes.ts';

/**
 * Asks a runtime for its name and has it create a container whose program does not exist: a runtime that complains about the missing
 * program has passed everything else, cgroups included. Answers a reason when it did not get so far.
 */
export async function probeRuntime(
  program: Pick<Runtime, 'path' | 'options'>,
  runDir: string,
): Promise<{ readonly version: string; readonly kind: Runtime['kind']; readonly reason?: string }> {
  const { path } = program;
  const { stdout } = await run({ file: path, argv: [path, '--version'], env: { PATH: searchPath }, timeoutMs: 5_000 });
  const [, name = '', version = ''] = /^(\S+) version (\S+)/.exec(stdout.toString('utf8')) ?? [];
  const kind = name === 'crun' || name === 'runc' ? name : 'other';
  const reason = await createReason(program, runDir);
  return reason === undefined ? { version, kind } : { version, kind, reason };
}

async function createReason({ path, options }: Pick<Runtime, 'path' | 'options'>, runDir: string): Promise<string | undefined> {
  const bundle = mkdtempSync(join(runDir, 'probe-'));
  const id = basename(bundle);
  const cgroup = `/gantry/${id}`;
  try {
    for (const folder of ['', 'proc', 'dev', 'sys']) mkdirSync(join(bundle, 'rootfs', folder), { recursive: true });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(probeSpec(cgroup)));
    const runtime = { path, options, root: join(bundle, 'root') };
    await runRuntime(runtime, ['create', '--bundle', bundle, id], { doing: 'create' });
    const made = await isMade(runtime, id);
    await runRuntime(runtime, ['delete', '--force', id], { doing: 'delete' });
    return made ? undefined : 'it says that it made a container, and knows none';
  } catch (error) {
    const message = messageOf(error).replace(/^create: /, '');
    return message.includes(missing) ? undefined : message;
  } finally {
    removeCgroup(cgroup);
    rmSync(bundle, { recursive: true, force: true });
  }
}

/** Not every runtime looks for the program before it is started. */
async function isMade(runtime: Pick<Runtime, 'path' | 'root' | 'options'>, id: string): Promise<boolean> {
  const state = await runRuntime(runtime, ['state', id], { doing: 'state' });
  try {
    return (JSON.parse(state) as { readonly id?: unknown }).id === id;
  } catch {
    return false;
  }
}

const missing = '/gantry-probe';

const probeSpec = (cgroupsPath: string) => ({
  ociVersion: '1.0.0',
  root: { path: 'rootfs' },
  process: { user: { uid: 0, gid: 0 }, args: [missing], cwd: '/', env: [] },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  linux: { cgroupsPath, namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
});
