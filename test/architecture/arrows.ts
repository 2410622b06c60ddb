import { importsOf } from './imports.ts';
import type { Import } from './imports.ts';
import type { Room } from './table.ts';
import { environmentReaders, packages, rooms } from './table.ts';

/** The room that a file, or an imported path, lies in. */
export function roomOf(path: string): string | undefined {
  const [top = '', second = '', third = ''] = path.split('/');
  if (top === 'core') return path.split('/').length === 2 ? 'core' : `core/${second}`;
  if (top === 'plugins') return `plugins/${second}/${third}`;
  return top === 'sdk' || top === 'test' || top === 'proto' ? top : undefined;
}

/** Complaints about one file, each saying what to do instead; none for a file that keeps to the arrows. */
export function complaints(file: string, source: string): readonly string[] {
  const from = roomOf(file) ?? file;
  const said = importsOf(file, source).flatMap((found) => {
    const complaint = complain(file, from, found);
    return complaint === undefined ? [] : [`${file}:${found.line} imports ${found.target}\n  ${complaint}`];
  });
  if (/\bprocess\.env\b/.test(source) && from !== 'sdk' && !environmentReaders.some((reader) => file.startsWith(reader))) {
    said.push(
      `${file} reads process.env\n  only ${environmentReaders.join(', ')} may: take the setting as an argument, so that an embedding program decides`,
    );
  }
  return said;
}

function complain(file: string, from: string, { target, isType }: Import): string | undefined {
  const to = roomOf(target);
  if (to === undefined || target.startsWith('node:')) return complainOfPackage(file, target);
  if (to === from) return undefined;
  const room = ruleOf(from);
  if (room === undefined) return `${from} is no room yet: say in test/architecture/table.ts what it may use and why`;
  if (!room.rooms.includes(to)) return `${from} may use ${listed(room)}: ${room.because}`;
  return isDoor(to, target, isType)
    ? undefined
    : `${to} has one door, ${to}/index.ts (types.ts for types): ask there, or export from there what is missing`;
}

function complainOfPackage(file: string, target: string): string | undefined {
  const room = packages[target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? '')];
  if (room === undefined || room.rooms.some((path) => (path === 'core' ? roomOf(file) === path : file.startsWith(`${path}/`))))
    return undefined;
  return `only ${room.rooms.join(', ') || 'test'} may: ${room.because}`;
}

function ruleOf(from: string): Room | undefined {
  return rooms[from.startsWith('plugins/') ? 'plugins/*' : from];
}

function isDoor(to: string, target: string, isType: boolean): boolean {
  if (to === 'sdk' || to === 'core') return true; // the SDK's doors are the exports of its package.json; core/ is the engine itself
  // gantryd's words have a door of their own, so that reading a flag does not load all the verbs.
  return target === `${to}/index.ts` || target === 'core/cli/daemon/index.ts' || (isType && target === `${to}/types.ts`);
}

function listed({ rooms: allowed }: Room): string {
  return allowed.length === 0 ? 'no other room' : allowed.map((name) => (name === 'sdk' ? '@gantry/sdk' : name)).join(', ');
}
