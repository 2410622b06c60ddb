import { existsSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import type { ContainerDefaults } from '../types.ts';

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** Absent: the default table, unless privileged. `builtin`: that table. `unconfined`: none. Else a profile as JSON. */
  readonly seccomp?: 'builtin' | 'unconfined' | { readonly profile: Readonly<Record<string, unknown>> };
  readonly appArmor?: string;
  readonly unmaskSystemPaths: boolean;
}

/** As `readSecurityOptions`, for the check alone. */
export function checkSecurityOptions(options: readonly string[]): void {
  readSecurityOptions(options);
}

/** What `--security-opt` asks for. An option that this host cannot enforce is an error, never silently ignored. */
export function readSecurityOptions(options: readonly string[]): SecurityOptions {
  let result: SecurityOptions = { noNewPrivileges: false, unmaskSystemPaths: false };
  for (const option of options) result = { ...result, ...readOne(option) };
  return result;
}

/** The same of a container, with what holds for those that leave it open. */
export function securityOf({ SecurityOpt, Privileged }: HostConfig, defaults: ContainerDefaults = {}): SecurityOptions {
  const { noNewPrivileges = false, seccompProfile } = defaults;
  const profile = Privileged === true || seccompProfile === undefined ? [] : [`seccomp=${seccompProfile}`];
  return readSecurityOptions([...(noNewPrivileges ? ['no-new-privileges'] : []), ...profile, ...(SecurityOpt ?? [])]);
}

function readOne(option: string): Partial<SecurityOptions> {
  if (option === 'no-new-privileges') return { noNewPrivileges: true };
  const [, key = '', value = ''] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
  switch (key) {
    case 'no-new-privileges':
      if (value !== 'true' && value !== 'false') throw invalidArgument(`invalid --security-opt 2: "${option}"`);
      return { noNewPrivileges: value === 'true' };
    case 'seccomp':
      return { seccomp: value === 'unconfined' || value === 'builtin' ? value : { profile: parseProfile(value) } };
    case 'apparmor':
      if (value === 'unconfined' && !hasAppArmor()) return {};
      if (!hasAppArmor()) throw invalidArgument(`invalid --security-opt: "${option}": AppArmor is not enabled on this host`);
      return { appArmor: value };
    case 'label':
      if (value === 'disable') return {};
      throw invalidArgument(`invalid --security-opt: "${option}": SELinux is not enabled on this host`);
    case 'systempaths':
      if (value !== 'unconfined') throw invalidArgument(`invalid --security-opt 2: "${option}"`);
      return { unmaskSystemPaths: true };
    default:
      throw invalidArgument(`invalid --security-opt ${key === '' ? 1 : 2}: "${option}"`);
  }
}

const actions = /^SCMP_ACT_(ALLOW|ERRNO|KILL|KILL_PROCESS|KILL_THREAD|LOG|TRACE|TRAP|NOTIFY)$/;

function parseProfile(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidArgument('Decoding seccomp profile failed: not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgument('Decoding seccomp profile failed: not an object');
  const profile = value as Readonly<Record<string, unknown>>;
  if (typeof profile['defaultAction'] !== 'string' || !actions.test(profile['defaultAction'])) {
    throw invalidArgument(`seccomp profile has no valid defaultAction: ${JSON.stringify(profile['defaultAction'])}`);
  }
  return profile;
}

const hasAppArmor = () => existsSync('/sys/kernel/security/apparmor');
