import { readFileSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';

/** capabilities(7), in the kernel's order. */
export const allCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** What a container has unless told otherwise: Docker's fourteen. */
export const defaultCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** "sys_admin", "CAP_SYS_ADMIN" and "ALL" in any case → "CAP_SYS_ADMIN", "ALL"; an unknown name is `invalid_argument` with Docker's text. */
export function normaliseCapability(name: string, field: 'CapAdd' | 'CapDrop'): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!allCapabilities.includes(full)) throw invalidArgument(`invalid ${field}: unknown capability: "${full}"`);
  return full;
}

/**
 * Docker's rules: dropping ALL starts from nothing, adding ALL from everything that this machine can give; drops win over the default, adds
 * over drops of ALL.
 */
export function effectiveCapabilities(
  {
    privileged = false,
    add = [],
    drop = [],
  }: { readonly privileged?: boolean; readonly add?: readonly string[]; readonly drop?: readonly string[] },
  known: readonly string[] = heldCapabilities(),
): readonly string[] {
  if (privileged) return known;
  const added = add.map((name) => normaliseCapability(name, 'CapAdd'));
  const dropped = new Set(drop.map((name) => normaliseCapability(name, 'CapDrop')));
  if (added.includes('ALL')) return known.filter((name) => !dropped.has(name));
  const base = dropped.has('ALL') ? [] : defaultCapabilities.filter((name) => !dropped.has(name));
  return allCapabilities.filter((name) => base.includes(name) || added.includes(name));
}

/** What the engine itself may do: in a VM or container of its own that can be less than everything, and nobody can hand on what he has not. */
function heldCapabilities(): readonly string[] {
  held ??= parseHeld(readFileSync('/proc/self/status', 'latin1'));
  return held;
}

let held: readonly string[] | undefined;

/** The bounding set of proc_pid_status(5), a mask by the numbers of capabilities(7). */
function parseHeld(status: string): readonly string[] {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return allCapabilities.filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n);
}
