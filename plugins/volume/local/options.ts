import { invalidArgument, type Mount, type Path } from '@gantry/sdk';

export type Options = Readonly<Record<string, string>>;

/** Whose the volume's own folder is; what is absent is root's, 0755. */
export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}
/** What the options ask for: something else to mount, or a folder of the driver's. */
export type Wanted =
  | { readonly kind: 'mount'; readonly mount: Mount }
  | { readonly kind: 'folder'; readonly owner: Owner; readonly sizeBytes: number | undefined };

const known = new Set(['type', 'device', 'o', 'size', 'uid', 'gid', 'mode']);
/** One needs the others, in Docker's words. */
const companions: Readonly<Record<string, readonly string[]>> = { type: ['device'], device: ['type'], o: ['device', 'type'] };
/** They name paths, descriptors or mounts of their own. */
const refused = new Set('lowerdir lowerdir+ upperdir workdir datadir+ remount move loop offset fd helper uhelper'.split(' '));
const networkTypes = new Set(['nfs', 'nfs4', 'cifs', 'smb3']);
const ownWords = ['uid', 'gid', 'mode'] as const;
const mostId = 2 ** 32 - 2;

/** Fails with `invalid_argument` that names the option. Nothing is looked up: the name of a server stays one. */
export function readOptions(options: Options): Wanted {
  for (const [name, value] of Object.entries(options)) {
    if (!known.has(name)) throw invalidArgument(`invalid option: ${JSON.stringify(name)}`);
    if (/[\n\0]/.test(value)) throw invalidArgument(`option ${name} of a volume must not have a newline or NUL`);
  }
  for (const [name, needed] of Object.entries(companions)) {
    const missing = options[name] === undefined ? undefined : needed.find((other) => options[other] === undefined);
    if (missing !== undefined) throw invalidArgument(`missing required option: ${JSON.stringify(missing)}`);
  }
  const { type, device } = options;
  return type === undefined || device === undefined ? folderOf(options) : { kind: 'mount', mount: mountOf(type, device, options) };
}

function folderOf({ size, uid, gid, mode }: Options): Wanted {
  const owner = {
    ...(uid === undefined ? {} : { uid: id('uid', uid) }),
    ...(gid === undefined ? {} : { gid: id('gid', gid) }),
    ...(mode === undefined ? {} : { mode: octal(mode) }),
  };
  return { kind: 'folder', owner, sizeBytes: size === undefined ? undefined : bytesOf(size) };
}

function mountOf(type: string, device: string, options: Options): Mount {
  const own = ownWords.find((name) => options[name] !== undefined);
  if (own !== undefined) {
    throw invalidArgument(`invalid option: "${own}" is for volumes that are folders of the driver's`, {
      hint: `a file system of type ${type} may take it in "o"`,
    });
  }
  const list = splitOptions(options['o'] ?? '');
  const { size } = options;
  if (size !== undefined) {
    if (type !== 'tmpfs') throw invalidArgument(`quota size requested but no quota support: "size" does not limit mounts of type ${type}`);
    if (!/^\d+[kmgKMG%]?$/.test(size)) throw invalidArgument(`option size=${size}: must be bytes, with k, m, g or % after them`);
    list.push(`size=${size}`);
  }
  const isBind = list.includes('bind') || list.includes('rbind') || type === 'bind';
  const described = list.filter((option) => option !== 'bind' && option !== 'rbind');
  const source = sourceOf(isBind ? 'bind' : type, device);
  return { type: isBind ? 'bind' : type, source, ...(described.length === 0 ? {} : { options: described }) };
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

function id(name: string, text: string): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > mostId) throw invalidArgument(`option ${name}=${text}: must be a number from 0 to ${mostId}`);
  return number;
}

function octal(text: string): number {
  if (!/^[0-7]{3,4}$/.test(text)) throw invalidArgument(`option mode=${text}: must be three or four octal digits`);
  return Number.parseInt(text, 8);
}

function bytesOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Number(number) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
  if (number === '' || bytes === 0 || !Number.isSafeInteger(bytes))
    throw invalidArgument(`option size=${text}: must be bytes, more than 0, with k, m, g or t after them`);
  return bytes;
}
