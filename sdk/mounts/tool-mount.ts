import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { unavailable } from '../errors.ts';
import { attachLoop, type LoopDevice, run } from '../linux/index.ts';
import type { Abortable, Mount } from '../types/index.ts';
import type { MadeMounts } from './made.ts';
import { openPlace } from './places.ts';
import type { MountGrants, MountTools } from './types.ts';

interface ToolMount extends Abortable {
  readonly grants: MountGrants;
  readonly options: readonly string[];
  readonly made: MadeMounts;
  readonly tools: MountTools;
}

/** By mount(8), in a process that can be killed where the kernel waits for a server. One that is ended may have mounted before: then that is taken back. */
export async function mountByTool(described: Mount, target: string, { grants, options, made, tools, signal }: ToolMount): Promise<void> {
  const { source } = described;
  const before = made.mountIdAt(described.target);
  const place = 'opaque' in source ? undefined : openPlace(source, grants, made);
  try {
    using loop = place === undefined ? undefined : loopOf(place, described);
    const from = 'opaque' in source ? source.opaque : (loop?.path ?? `/proc/${process.pid}/fd/${place}`);
    const list = [...options, ...(described.readOnly === true ? ['ro'] : [])];
    // -i: no /sbin/mount.* helper, which would run outside of what we check.
    const argv = [...tools.mount, '-i', '-t', described.type, ...(list.length > 0 ? ['-o', list.join(',')] : []), '--', from, target];
    const { exitCode, stderr } = await run({ file: argv[0] ?? '', argv, signal, env: {} });
    if (exitCode !== 0) throw unavailable(`mount ${described.type} ${from}: ${stderr.toString().trim()}`);
  } catch (error) {
    if (made.isOtherAt(described.target, before)) made.tryUnmountAt(described.target);
    throw error;
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

/** A file is mounted as a block device, which the kernel takes away when it is unmounted. Opened by its descriptor: its name may mean another one by now. */
function loopOf(place: number, { readOnly = false, options = [] }: Mount): LoopDevice | undefined {
  if (!fstatSync(place).isFile()) return undefined;
  const isReadOnly = readOnly || options.includes('ro');
  const file = openSync(`/proc/self/fd/${place}`, isReadOnly ? constants.O_RDONLY : constants.O_RDWR);
  try {
    return attachLoop(file, { readOnly: isReadOnly });
  } finally {
    closeSync(file);
  }
}
