import { existsSync, readFileSync } from 'node:fs';
import { GantryError, messageOf } from '@gantry/sdk/errors';
import { missingRemapUser, remapUser } from '../../../daemon/remap-user.ts';
import { remappedIds } from '../../../daemon/userns-remap.ts';
import { fail, type Finding, ok, warn } from '../../../finding.ts';

const about = 'user namespaces';

/** What of this machine counts for `userns-remap`. */
export interface UserNamespaceFacts {
  readonly kernel: string;
  readonly hasThem: boolean;
  /** sysctl user.max_user_namespaces. */
  readonly most: number;
  readonly hasPrograms: boolean;
}

/** Whether containers can have user namespaces of their own: a failure only where daemon.json wants them. */
export function examineUserNamespaces(wish: string, facts: UserNamespaceFacts): Finding {
  const lack = lackOf(facts);
  if (lack !== undefined) return (wish === '' ? warn : fail)(about, ...lack);
  if (wish === '') return ok(about, 'userns-remap can be used');
  try {
    const { uids, gids } = remappedIds(wish);
    if (wish === 'default' && missingRemapUser() !== undefined)
      return ok(
        about,
        `gantryd makes the user ${remapUser} when it starts: root of containers is then ${uids[0]?.outside}:${gids[0]?.outside}`,
      );
    return ok(about, `root of containers is ${uids[0]?.outside}:${gids[0]?.outside} of this machine`);
  } catch (error) {
    const hint = GantryError.is(error) ? error.hint : undefined;
    return fail(about, messageOf(error), hint ?? 'gantryd --validate says the same');
  }
}

export function userNamespaceFacts(kernel: string): UserNamespaceFacts {
  return {
    kernel,
    hasThem: existsSync('/proc/self/ns/user'),
    most: Number(read('/proc/sys/user/max_user_namespaces')),
    hasPrograms: ['unshare', 'nsenter'].every((name) => existsSync(`/usr/bin/${name}`)),
  };
}

function lackOf({ kernel, hasThem, most, hasPrograms }: UserNamespaceFacts): readonly [what: string, fix: string] | undefined {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  if (!hasThem) return ['the kernel has none', 'userns-remap needs a kernel with CONFIG_USER_NS'];
  if (most === 0) return ['none may be made', 'sysctl user.max_user_namespaces=15000'];
  if (!hasPrograms) return ['unshare or nsenter is missing in /usr/bin', 'userns-remap needs the package util-linux'];
  if (major < 5 || (major === 5 && minor < 19))
    return [`Linux ${kernel} maps no owners below an overlay`, 'userns-remap with overlay2 needs Linux 5.19 or later'];
  return undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '0';
  }
}
