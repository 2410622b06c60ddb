import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fail, type Finding, ok, warn } from '../../../finding.ts';

/** Something that the engine calls and does not bring. */
export interface Tool {
  /** Programs, or absolute paths, any of which will do. */
  readonly needs: readonly string[];
  readonly why: string;
  /** By family of distributions; the same name everywhere as `all`. */
  readonly packages: { readonly all?: string; readonly debian?: string; readonly fedora?: string; readonly alpine?: string };
  /** Most things work without it. */
  readonly isOptional?: boolean;
}

const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '..', '../lib64'].map((folder) => join('/usr/lib', folder, 'libnftables.so.1'));

export const tools: readonly Tool[] = [
  { needs: ['conmon'], why: 'it keeps containers alive while the engine restarts', packages: { all: 'conmon' } },
  { needs: ['crun', 'runc'], why: 'it makes the container out of the bundle', packages: { all: 'crun' } },
  {
    needs: libraries,
    why: 'published ports are nftables rules',
    packages: { debian: 'libnftables1', fedora: 'nftables', alpine: 'nftables' },
  },
  {
    needs: ['ps'],
    why: 'gantry top shows what ps says',
    packages: { debian: 'procps', fedora: 'procps-ng', alpine: 'procps' },
    isOptional: true,
  },
  {
    needs: ['mount.nfs'],
    why: 'volumes of NFS servers are mounted by it',
    packages: { debian: 'nfs-common', fedora: 'nfs-utils', alpine: 'nfs-utils' },
    isOptional: true,
  },
];

/** What of it is there, and how to get the rest on this distribution. */
export function examineTools(wanted: readonly Tool[] = tools, path = process.env['PATH'] ?? ''): readonly Finding[] {
  const folders = [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return wanted.map(({ needs, why, packages, isOptional = false }) => {
    const found = needs.find((need) =>
      need.startsWith('/') ? existsSync(need) : folders.some((folder) => existsSync(join(folder, need))),
    );
    const name = needs[0]?.startsWith('/') === true ? 'libnftables' : needs.join(' or ');
    if (found !== undefined) return ok(name, 'is there');
    return (isOptional ? warn : fail)(name, `is missing: ${why}`, howToGet(packages));
  });
}

const installers = { debian: 'apt-get install --no-install-recommends', fedora: 'dnf install', alpine: 'apk add' } as const;

function howToGet({ all, ...byFamily }: Tool['packages']): string {
  const family = familyOf(osRelease());
  const name = family === undefined ? undefined : (byFamily[family] ?? all);
  if (family !== undefined && name !== undefined) return `${installers[family]} ${name}`;
  return `install ${all ?? byFamily.debian ?? ''} with the package manager of this machine`;
}

/** os-release(5): ID, and what it is like. */
export function familyOf(text: string): keyof typeof installers | undefined {
  const words = [...text.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].flatMap(([, value = '']) => value.split(' '));
  if (words.some((word) => ['debian', 'ubuntu'].includes(word))) return 'debian';
  if (words.some((word) => ['fedora', 'rhel', 'centos'].includes(word))) return 'fedora';
  return words.includes('alpine') ? 'alpine' : undefined;
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
