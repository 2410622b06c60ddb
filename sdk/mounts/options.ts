import { forbidden, invalidArgument } from '../errors.ts';
import { fstabFlags, mountFlags, type MountFlag } from '../linux/index.ts';

/** fstab-style options, taken apart: what is a flag of mount(2), and what goes to the file system as text. */
export interface ParsedOptions {
  readonly flags: ReadonlySet<MountFlag>;
  readonly data: readonly string[];
}

/** They would smuggle in a path, another mount or a descriptor: the description has fields for those that are allowed. */
const forbiddenKeys = new Set(
  'lowerdir lowerdir+ upperdir workdir datadir+ bind rbind move remount loop offset fd rootmode user_id group_id helper uhelper x-mount.mkdir'.split(
    ' ',
  ),
);
/** What a built-in type understands; other types (granted one by one) may have options of their own. */
const knownKeys: Readonly<Record<string, ReadonlySet<string>>> = {
  bind: new Set(),
  overlay: new Set('index redirect_dir metacopy xino nfs_export userxattr volatile uuid verity'.split(' ')),
  fuse: new Set('allow_other default_permissions max_read'.split(' ')),
  tmpfs: new Set('size mode uid gid nr_inodes nr_blocks huge mpol noswap inode32 inode64'.split(' ')),
};

/** Throws `invalid_argument` naming the option that this type does not have, `forbidden` for one that no description may have. */
export function parseOptions(type: string, options: readonly string[]): ParsedOptions {
  const flags = new Set<MountFlag>();
  const data: string[] = [];
  for (const option of options) {
    if (option === '' || /[,\n\0]/.test(option)) throw invalidArgument(`mount option ${JSON.stringify(option)} is not one option`);
    if (Object.hasOwn(fstabFlags, option)) {
      const flag = fstabFlags[option];
      if (flag !== null && flag !== undefined) flags.add(flag);
      continue;
    }
    const [key = ''] = option.split('=');
    if (forbiddenKeys.has(key)) throw forbidden(`mount option ${JSON.stringify(key)} may not be given`);
    if (knownKeys[type]?.has(key) === false) throw invalidArgument(`invalid option: ${JSON.stringify(option)} for mounts of type ${type}`);
    data.push(option);
  }
  return { flags, data };
}

export function flagBits(flags: ReadonlySet<MountFlag>): number {
  let bits = 0;
  for (const flag of flags) bits |= mountFlags[flag];
  return bits;
}
