import type { Manifest, Privileges } from '@gantry/sdk';
import { type Finding, warn } from '../../../finding.ts';

interface Sign {
  readonly pattern: RegExp;
  readonly isDeclared: (privileges: Privileges, found: string) => boolean;
  readonly says: (found: string) => string;
  readonly fix: (found: string) => string;
}

/** What in a source tells of something that has to be granted. The first group is what was found. */
const signs: readonly Sign[] = [
  {
    pattern: /['"`](?:node:)?(net|http|https|http2|tls|dgram|dns)(?:\/promises)?['"`]|\b(fetch)\s*\(/g,
    isDeclared: ({ network }) => network === 'host',
    says: (found) => `uses ${found}, but a plugin has no network unless it is granted`,
    fix: () => 'add "privileges": { "network": "host" }, if it is to reach beyond this machine',
  },
  {
    pattern: /['"`](\/dev\/(?!null\b|zero\b|u?random\b|std|fd\b|shm\b)[\w/.-]+)/g,
    isDeclared: ({ devices = [] }, found) => devices.some((device) => found === device || found.startsWith(`${device}/`)),
    says: (found) => `names ${found}, which is not granted`,
    fix: (found) => `add "privileges": { "devices": ["${found}"] }`,
  },
  {
    pattern: /['"`](\/(?:etc|home|mnt|opt|root|run|srv|sys|usr|var)\/[\w/.-]+)/g,
    isDeclared: ({ hostPaths = [] }, found) => hostPaths.some((path) => found === path || found.startsWith(`${path.replace(/\/$/, '')}/`)),
    says: (found) => `names ${found}, which it will not see`,
    fix: (found) => `add "privileges": { "hostPaths": ["${found}"] }, or keep files in host.dataDir`,
  },
  {
    pattern: /\bmount\.(nfs4?|cifs|fuse|ext4|xfs|btrfs)\b|type:\s*['"`](nfs4?|cifs|fuse|ext4|xfs|btrfs|9p|ceph)['"`]/g,
    isDeclared: ({ mountTypes = [] }, found) => mountTypes.includes(found),
    says: (found) => `describes a mount of type ${found}, which the engine would refuse`,
    fix: (found) => `add "privileges": { "mountTypes": ["${found}"] }`,
  },
  {
    pattern: /(driver-mounted)/g,
    isDeclared: ({ driverMounted }) => driverMounted === true,
    says: () => 'answers with directories that it mounted itself, which the engine would refuse',
    fix: () => 'add "privileges": { "driverMounted": true }, or describe the mount and let the engine do it',
  },
  {
    pattern: /\bhost\.lookup\(\s*['"`](\w+)/g,
    isDeclared: ({ host = [] }, found) => host.some((grant) => grant === `lookup:${found}` || grant.startsWith(`lookup:${found}.`)),
    says: (found) => `looks up facts of a ${found}, which is not granted`,
    fix: (found) => `add "privileges": { "host": ["lookup:${found}"] }`,
  },
  {
    pattern: /\bhost\.subscribe\(\s*\[\s*['"`](\w+)/g,
    isDeclared: ({ host = [] }, found) => host.includes(`subscribe:${found}`),
    says: (found) => `subscribes to ${found} events, which is not granted`,
    fix: (found) => `add "privileges": { "host": ["subscribe:${found}"] }`,
  },
];

/** What sources use and the manifest does not ask for: what can be seen without running them, each thing once. */
export function checkUndeclared(
  { privileges = {} }: Manifest,
  sources: readonly { readonly path: string; readonly text: string }[],
): readonly Finding[] {
  const findings = new Map<string, Finding>();
  for (const { path, text } of sources) {
    for (const sign of signs) {
      for (const match of text.matchAll(sign.pattern)) {
        const found = match.slice(1).find((group) => group !== undefined) ?? '';
        if (!sign.isDeclared(privileges, found)) findings.set(sign.says(found), warn(path, sign.says(found), sign.fix(found)));
      }
    }
  }
  return [...findings.values()];
}
