import { refuse, show } from './refuse.ts';

export interface Device {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/** `/dev/host[:/dev/container][:rwm]`, or `vendor.com/class=name` as it is. */
export function parseDevice(text: string): Device | string {
  if (/^[A-Za-z][\w.-]*\/[A-Za-z][\w.-]*=[\w.:-]+$/.test(text)) return text;
  const [host = '', second, third, ...more] = text.split(':');
  const isShort = third === undefined && second !== undefined && !second.startsWith('/');
  const inside = isShort || second === undefined ? host : second;
  const permissions = (isShort ? second : third) ?? 'rwm';
  if (!host.startsWith('/') || !inside.startsWith('/') || more.length > 0) {
    throw refuse(text, 'is not a device', 'write /dev/host[:/dev/container][:rwm]');
  }
  if (!/^[rwm]{1,3}$/.test(permissions) || new Set(permissions).size !== permissions.length) {
    throw refuse(text, `has unknown permissions: ${show(permissions)}`, 'any of r, w and m');
  }
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions };
}
