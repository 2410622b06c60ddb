import { conflict, fromErrno, GantryError, unavailable } from '../errors.ts';
import { isErrno } from '../linux/index.ts';
import type { Link } from '../network/index.ts';

/** Why the kernel made no link, in words that help. */
export function linkRefused({ kind, attrs, parent = '' }: Link, error: unknown): Error {
  if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) {
    return unavailable(`this machine's kernel makes no ${kind} links`, {
      cause: error,
      hint: `load its module: modprobe ${kind === 'vlan' ? '8021q' : kind}`,
    });
  }
  // EINVAL is what macvlan says beside a passthru one, EBUSY what a link says that is a bridge's port.
  if ((kind === 'macvlan' && isErrno(error, 'EINVAL')) || isErrno(error, 'EBUSY')) {
    return conflict(`network interface ${parent} takes no more ${kind} links: it has a passthru one, or is a bridge's port`, {
      cause: error,
    });
  }
  if (kind === 'vxlan' && isErrno(error, 'EEXIST')) {
    return conflict(`VXLAN ${attrs?.['id']} on port ${attrs?.['port'] ?? 4789} is another network's`, { cause: error });
  }
  return GantryError.is(error) ? error : fromErrno(error, `make a ${kind} link`);
}
