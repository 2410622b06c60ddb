import { invalidArgument, type Mount, type Path } from '@gantry/sdk';

type Options = Readonly<Record<string, string>>;

const known = new Set(['type', 'device', 'o', 'size']);
/** One needs the others, in Docker's words. */
const companions: Readonly<Record<string, readonly string[]>> = { type: ['device'], device: ['type'], o: ['device', 'type'] };
/** They name paths, descriptors or mounts of their own. */
const refused = new Set('lowerdir lowerdir+ upperdir workdir datadir+ remount move loop offset fd helper uhelper'.split(' '));
const networkTypes = new Set(['nfs', 'nfs4', 'cifs', 'smb3']);

/**
 * The mount that the options describe; undefined: the volume is a plain folder. Fails with `invalid_argument` that names the option.
 * Nothing is looked up: `addr=` of a network file system stays a name.
 */
export function describeMount(options: Options): Mount | undefined {
  for (const [name, value] of Object.entries(options)) {
    if (!known.has(name)) throw invalidArgument(`invalid option: ${JSON.stringify(name)}`);
    if (/[\n\0]/.test(value)) throw invalidArgument(`option ${name} of a volume must not have a newline or NUL`);
  }
  for (const [name, needed] of Object.entries(companions)) {
    const missing = options[name] === undefined ? undefined : needed.find((other) => options[other] === undefined);
    if (missing !== undefined) throw invalidArgument(`missing required option: ${JSON.stringify(missing)}`);
  }
  const { type, device, size } = options;
  const list = splitOptions(options['o'] ?? '');
  if (size !== undefined) {
    if (type !== 'tmpfs') throw invalidArgument('quota size requested but no quota support: option "size" works with type tmpfs only');
    if (!/^\d+[kmgKMG%]?$/.test(size)) throw invalidArgument(`option size=${size}: must be bytes, with k, m, g or % after them`);
    list.push(`size=${size}`);
  }
  if (type === undefined || device === undefined) return undefined;
  return mountOf(type, device, list);
}

/** `o` of a network file system: the name that has to be looked up before the kernel gets it. */
export function serverName({ type, options = [] }: Mount): string | undefined {
  if (!networkTypes.has(type)) return undefined;
  return options.find((option) => option.startsWith('addr='))?.slice('addr='.length);
}

export function withServerAddress(mount: Mount, address: string): Mount {
  return { ...mount, options: (mount.options ?? []).map((option) => (option.startsWith('addr=') ? `addr=${address}` : option)) };
}

function mountOf(type: string, device: string, list: readonly string[]): Mount {
  const isBind = list.includes('bind') || list.includes('rbind') || type === 'bind';
  const options = list.filter((option) => option !== 'bind' && option !== 'rbind');
  const source = sourceOf(isBind ? 'bind' : type, device);
  return { type: isBind ? 'bind' : type, source, ...(options.length === 0 ? {} : { options }) };
}

function sourceOf(type: string, device: string): Path {
  if (type === 'bind') {
    if (!device.startsWith('/')) throw invalidArgument(`option device=${device}: a bind needs an absolute path`);
    return { host: device };
  }
  if (networkTypes.has(type) || type === 'tmpfs' || !device.startsWith('/')) return { opaque: device };
  return device.startsWith('/dev/') ? { device } : { host: device };
}

function splitOptions(text: string): string[] {
  const list = text.split(',').filter((option) => option !== '');
  for (const option of list) {
    const [key = ''] = option.split('=');
    if (refused.has(key)) throw invalidArgument(`invalid option: ${JSON.stringify(key)} may not be in "o"`);
  }
  return list;
}
