import { arch, release } from 'node:os';
import { type SeccompRule, seccompArchitectures, seccompTable } from './table.ts';

/** linux.seccomp of the OCI runtime spec. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet?: number;
    readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
  }[];
}

export interface Machine {
  /** Go's word: amd64, arm64… */
  readonly architecture: string;
  readonly kernel: string;
}

const eperm = 1;
const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'x86', ppc64: 'ppc64le' };
const operators = { less: 'SCMP_CMP_LT', equal: 'SCMP_CMP_EQ', greater: 'SCMP_CMP_GT', masked: 'SCMP_CMP_MASKED_EQ' } as const;
const profiles = new Map<string, SeccompProfile>();

/** The default profile for a container with these capabilities on this machine. The same set gives the same object, so its JSON can be kept. */
export function seccompProfile(capabilities: readonly string[]): SeccompProfile {
  const key = capabilities.toSorted().join(' ');
  let profile = profiles.get(key);
  if (profile === undefined) {
    profile = resolveSeccomp(capabilities, { architecture: goArchitectures[arch()] ?? arch(), kernel: release() });
    profiles.set(key, profile);
  }
  return profile;
}

export function resolveSeccomp(capabilities: readonly string[], machine: Machine): SeccompProfile {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: seccompArchitectures[machine.architecture] ?? [],
    syscalls: seccompTable.filter((rule) => applies(rule, new Set(capabilities), machine)).map(toSpec),
  };
}

function applies(rule: SeccompRule, capabilities: ReadonlySet<string>, { architecture, kernel }: Machine): boolean {
  return (
    (rule.withCapability === undefined || capabilities.has(rule.withCapability)) &&
    (rule.withoutCapability === undefined || !capabilities.has(rule.withoutCapability)) &&
    (rule.architectures === undefined || rule.architectures.includes(architecture)) &&
    (rule.notArchitectures === undefined || !rule.notArchitectures.includes(architecture)) &&
    (rule.minKernel === undefined || isAtLeast(kernel, rule.minKernel))
  );
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function toSpec({ calls, argument, errno }: SeccompRule): SeccompProfile['syscalls'][number] {
  return {
    names: calls.split(' '),
    action: errno === undefined ? 'SCMP_ACT_ALLOW' : 'SCMP_ACT_ERRNO',
    ...(errno === undefined ? {} : { errnoRet: errno }),
    ...(argument === undefined
      ? {}
      : {
          args: [
            {
              index: argument.index,
              value: argument.value,
              ...(argument.valueTwo === undefined ? {} : { valueTwo: argument.valueTwo }),
              op: operators[argument.op],
            },
          ],
        }),
  };
}
