import { notImplemented } from '@gantry/sdk';
import { capabilityNames } from '@gantry/sdk/linux';
import { type DeniedCall, deniedUnless, firstUnknown } from '@gantry/sdk/serve/denied-calls';

/**
 * The filter for a plugin with these capabilities (by number) as a program of classic BPF, seccomp(2). What is denied fails with EPERM, so that programs can go
 * without it; what is unknown, and clone3, whose flags a filter cannot see, with ENOSYS, so that they try the older call.
 */
export function seccompProgram(capabilities: readonly number[], arch: string = process.arch): Uint8Array {
  if (arch !== 'x64' && arch !== 'arm64')
    throw notImplemented(`there is no system call filter for ${arch}`, { hint: 'plugins run confined on x64 and arm64' });
  const held = new Set(capabilities.map((number) => capabilityNames[number] ?? ''));
  const denied = deniedUnless.filter(({ capabilities: any }) => !any.some((name) => held.has(name))).flatMap(({ calls }) => calls);
  return assemble([
    { code: load, k: architectureAt },
    { code: jumpEqual, k: machines[arch].audit, no: 'denied' },
    { code: load, k: numberAt },
    { code: jumpAtLeast, k: firstUnknown, yes: 'unknown' },
    ...numbersOf(denied, arch).map((k) => ({ code: jumpEqual, k, yes: 'denied' as const })),
    ...arguments_(machines[arch], held.has('CAP_SYS_ADMIN')),
    { code: answer, k: 0x7fff0000 /* ALLOW */ },
  ]);
}

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** Where to go on; the next one by default. Numbers skip so many. */
  readonly yes?: Target;
  readonly no?: Target;
}
type Target = number | 'denied' | 'unknown';

const load = 0x20;
const jumpEqual = 0x15;
const jumpAtLeast = 0x35;
const jumpIfAny = 0x45;
const answer = 0x06;
const numberAt = 0;
const architectureAt = 4;
const firstArgumentAt = 16;

const machines = {
  x64: { audit: 0xc000003e, clone: 56, socket: 41, personality: 135 },
  arm64: { audit: 0xc00000b7, clone: 220, socket: 198, personality: 92 },
} as const;
const clone3 = 435;
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e020000;
/** Linux, and the same with 4-byte addresses and without randomised ones; -1 asks. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];
/** AF_ALG and AF_VSOCK: large parts of the kernel that plugins have no use for. */
const deniedFamilies = [38, 40];

/** Calls that are denied by an argument. Each block begins with the number in the accumulator and ends the program if it is its call. */
function arguments_({ clone, socket, personality }: (typeof machines)[keyof typeof machines], isAdmin: boolean): readonly Instruction[] {
  const allow: Instruction = { code: answer, k: 0x7fff0000 };
  const block = (number: number, checks: readonly Instruction[]): readonly Instruction[] => [
    { code: jumpEqual, k: number, no: checks.length + 1 },
    { code: load, k: firstArgumentAt },
    ...checks,
  ];
  const namespaces: readonly Instruction[] = [
    { code: jumpEqual, k: clone3, yes: 'unknown' },
    ...block(clone, [{ code: jumpIfAny, k: namespaceFlags, yes: 'denied' }, allow]),
  ];
  return [
    ...(isAdmin ? [] : namespaces),
    ...block(socket, [...deniedFamilies.map((k) => ({ code: jumpEqual, k, yes: 'denied' as const })), allow]),
    ...block(personality, [
      ...personalities.map((k, index) => ({ code: jumpEqual, k, yes: personalities.length - index })),
      { code: answer, k: refuse(1) },
      allow,
    ]),
  ];
}

/** x64 also takes x32's calls, by numbers from 0x40000000 on: these are beyond the last known one. */
function numbersOf(calls: readonly DeniedCall[], arch: 'x64' | 'arm64'): readonly number[] {
  return calls.flatMap((call) => call[arch] ?? []);
}

function refuse(errno: number): number {
  return 0x00050000 | errno;
}

/** struct sock_filter: u16 code, u8 and u8 how many to skip, u32 k. The two ends of the program come after what is given. */
function assemble(instructions: readonly Instruction[]): Uint8Array {
  const ends = { denied: instructions.length, unknown: instructions.length + 1 };
  const program = [...instructions, { code: answer, k: refuse(1 /* EPERM */) }, { code: answer, k: refuse(38 /* ENOSYS */) }];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, { code, k, yes = 0, no = 0 }] of (program as readonly Instruction[]).entries()) {
    const skip = (target: Target): number => (typeof target === 'number' ? target : ends[target] - at - 1);
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(skip(yes), at * 8 + 2);
    bytes.writeUInt8(skip(no), at * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, at * 8 + 4);
  }
  return bytes;
}
