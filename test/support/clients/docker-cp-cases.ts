import { endOfArchive, entry, header } from '../images/tar-builder.ts';

/** One `docker cp`: "C:" is the container, "H" a folder on the host, both new; both have trees that `docker-cp.ts` makes. */
export interface CpCase {
  readonly name: string;
  /** Flags of `docker create`. */
  readonly create?: readonly string[];
  readonly isRunning?: boolean;
  /** Commands before. */
  readonly setup?: readonly (readonly string[])[];
  readonly cp: readonly string[];
  readonly input?: () => Buffer;
  /** What it complains of when it is to fail. */
  readonly says?: RegExp;
  readonly code?: number;
  /** What is where after it: "file TEXT", "link TARGET", "folder NAMES" or "absent"; "stdout" is the archive that came, "owner of C:/x" a pair of ids. */
  readonly leaves?: Readonly<Record<string, string>>;
}

const tar = (): Buffer =>
  Buffer.concat([header({ name: 'in/', type: '5', mode: 0o755 }), entry('in/tar', 'from a tar', { uid: 77, gid: 88 }), endOfArchive]);
const noSuch = /no such (file or )?directory|must (exist|be a directory)|could not find the file|does not exist/i;

/** Into the container. */
const into: readonly CpCase[] = [
  { name: 'a file to a path that is not there', cp: ['H/file', 'C:/t/new'], leaves: { 'C:/t/new': 'file new file' } },
  {
    name: 'a file to a path that is not there and ends with a slash',
    cp: ['H/file', 'C:/t/new/'],
    says: noSuch,
    leaves: { 'C:/t/new': 'absent' },
  },
  { name: 'a file over a file', cp: ['H/file', 'C:/t/file'], leaves: { 'C:/t/file': 'file new file' } },
  {
    name: 'a file over a file with a slash at its end',
    cp: ['H/file', 'C:/t/file/'],
    says: /no such directory|not a directory/i,
    leaves: { 'C:/t/file': 'file old file' },
  },
  { name: 'a file into a folder', cp: ['H/file', 'C:/t/dir'], leaves: { 'C:/t/dir/file': 'file new file' } },
  { name: 'a file into a folder with a slash', cp: ['H/file', 'C:/t/dir/'], leaves: { 'C:/t/dir/file': 'file new file' } },
  { name: 'a file into a folder with a dot', cp: ['H/file', 'C:/t/dir/.'], leaves: { 'C:/t/dir/file': 'file new file' } },
  { name: 'a file below a folder that is not there', cp: ['H/file', 'C:/t/no/new'], says: noSuch },
  {
    name: 'a file to a path without a slash at its beginning, which is from the root',
    cp: ['H/file', 'C:t/new'],
    leaves: { 'C:/t/new': 'file new file' },
  },
  { name: 'a file with an odd name', cp: ['H/x y é', 'C:/t/dir'], leaves: { 'C:/t/dir/x y é': 'file odd name' } },
  { name: 'a file with a colon in its name', cp: ['H/a:b', 'C:/t/new'], leaves: { 'C:/t/new': 'file with a colon' } },
  { name: 'a folder to a path that is not there', cp: ['H/dir', 'C:/t/new'], leaves: { 'C:/t/new': 'folder below/ below/deep new' } },
  {
    name: 'a folder with a dot to a path that is not there',
    cp: ['H/dir/.', 'C:/t/new'],
    leaves: { 'C:/t/new': 'folder below/ below/deep new' },
  },
  {
    name: 'a folder into a folder',
    cp: ['H/dir', 'C:/t/dir'],
    leaves: { 'C:/t/dir': 'folder below/ below/deep dir/ dir/below/ dir/below/deep dir/new old', 'C:/t/dir/below/deep': 'file deep one' },
  },
  { name: 'a folder with a slash into a folder', cp: ['H/dir/', 'C:/t/dir'], leaves: { 'C:/t/dir/dir': 'folder below/ below/deep new' } },
  {
    name: 'a folder with a dot into a folder: what is in both becomes one',
    cp: ['H/dir/.', 'C:/t/dir'],
    leaves: { 'C:/t/dir': 'folder below/ below/deep new old', 'C:/t/dir/below/deep': 'file new deep' },
  },
  {
    name: 'a folder over a file',
    cp: ['H/dir', 'C:/t/file'],
    says: /cannot copy (a )?directory/i,
    leaves: { 'C:/t/file': 'file old file' },
  },
  {
    name: 'a folder over a file that has its name, within a folder',
    cp: ['H/dir', 'C:/t/holds'],
    setup: [['cp', 'H/file', 'C:/t/holds-file']],
    leaves: { 'C:/t/holds': 'folder below/ below/deep new' },
  },
  { name: 'what is not there', cp: ['H/nope', 'C:/t'], says: noSuch },
  { name: 'a link stays a link', cp: ['H/to-file', 'C:/t/new'], leaves: { 'C:/t/new': 'link file' } },
  { name: 'a link that is followed', cp: ['-L', 'H/to-file', 'C:/t/new'], leaves: { 'C:/t/new': 'file new file' } },
  {
    name: 'a link to a folder that is followed',
    cp: ['-L', 'H/to-dir', 'C:/t/dir'],
    leaves: { 'C:/t/dir/to-dir': 'folder below/ below/deep new' },
  },
  { name: 'a link to a folder with a slash', cp: ['H/to-dir/', 'C:/t/new'], leaves: { 'C:/t/new': 'folder below/ below/deep new' } },
  { name: 'a link to nothing', cp: ['H/dangling', 'C:/t/new'], leaves: { 'C:/t/new': 'link nowhere' } },
  {
    name: 'a file over a link to a file: the file behind it',
    cp: ['H/file', 'C:/t/to-file'],
    leaves: { 'C:/t/to-file': 'link file', 'C:/t/file': 'file new file' },
  },
  {
    name: 'a file into a link to a folder',
    cp: ['H/file', 'C:/t/to-dir'],
    leaves: { 'C:/t/to-dir': 'link dir', 'C:/t/dir/file': 'file new file' },
  },
  {
    name: 'a file into a link to a folder by its path from the root',
    cp: ['H/file', 'C:/t/absolute/'],
    leaves: { 'C:/t/dir/file': 'file new file' },
  },
  {
    name: 'a file into a link that leads above the root, which ends there',
    cp: ['H/file', 'C:/t/outside/'],
    leaves: { 'C:/t/dir/file': 'file new file' },
  },
  {
    name: 'a file to a link to nothing: what it names',
    cp: ['H/file', 'C:/t/dangling'],
    leaves: { 'C:/t/dangling': 'link /t/later', 'C:/t/later': 'file new file' },
  },
  { name: 'a path that goes above the root', cp: ['H/file', 'C:/../../t/dir'], leaves: { 'C:/t/dir/file': 'file new file' } },
  {
    name: 'an archive on stdin into a folder',
    cp: ['-', 'C:/t'],
    input: tar,
    leaves: { 'C:/t/in': 'folder tar', 'C:/t/in/tar': 'file from a tar', 'owner of C:/t/in/tar': '77/88' },
  },
  { name: 'an archive on stdin onto a file', cp: ['-', 'C:/t/file'], input: tar, says: /must be a directory|not a directory/i },
  { name: 'an archive on stdin to a path that is not there', cp: ['-', 'C:/t/new'], input: tar, says: noSuch },
  { name: 'no archive on stdin', cp: ['-', 'C:/t'], input: () => Buffer.alloc(1024, 'x'), says: /./ },
  { name: 'owners of others without -a', cp: ['H/owned', 'C:/t/new'], leaves: { 'owner of C:/t/new': '1234/4321' } },
  { name: 'owners of others with -a', cp: ['-a', 'H/owned', 'C:/t/new'], leaves: { 'owner of C:/t/new': '1234/4321' } },
  { name: 'into a container that is not there', cp: ['H/file', 'nope:/t'], says: /No such container: nope/ },
  { name: 'from a container to a container', cp: ['C:/t/file', 'C:/t/new'], says: /copying between containers is not supported/ },
  { name: 'quietly', cp: ['-q', 'H/file', 'C:/t/new'], leaves: { 'C:/t/new': 'file new file' } },
];

/** Out of the container. */
const from: readonly CpCase[] = [
  { name: 'out: a file to a path that is not there', cp: ['C:/t/file', 'H/new'], leaves: { 'H/new': 'file old file' } },
  {
    name: 'out: a file to a path that is not there and ends with a slash',
    cp: ['C:/t/file', 'H/new/'],
    says: noSuch,
    leaves: { 'H/new': 'absent' },
  },
  { name: 'out: a file over a file', cp: ['C:/t/file', 'H/file'], leaves: { 'H/file': 'file old file' } },
  { name: 'out: a file into a folder', cp: ['C:/t/file', 'H/dir'], leaves: { 'H/dir/file': 'file old file' } },
  { name: 'out: a file below a folder that is not there', cp: ['C:/t/file', 'H/no/new'], says: noSuch },
  { name: 'out: a file with a slash at its end', cp: ['C:/t/file/', 'H/new'], says: /not a directory/i, leaves: { 'H/new': 'absent' } },
  { name: 'out: a folder to a path that is not there', cp: ['C:/t/dir', 'H/new'], leaves: { 'H/new': 'folder below/ below/deep old' } },
  {
    name: 'out: a folder with a dot to a path that is not there',
    cp: ['C:/t/dir/.', 'H/new'],
    leaves: { 'H/new': 'folder below/ below/deep old' },
  },
  {
    name: 'out: a folder into a folder',
    cp: ['C:/t/dir', 'H/dir'],
    leaves: { 'H/dir': 'folder below/ below/deep dir/ dir/below/ dir/below/deep dir/old new' },
  },
  {
    name: 'out: a folder with a dot into a folder',
    cp: ['C:/t/dir/.', 'H/dir'],
    leaves: { 'H/dir': 'folder below/ below/deep new old', 'H/dir/below/deep': 'file deep one' },
  },
  {
    name: 'out: a folder over a file',
    cp: ['C:/t/dir', 'H/file'],
    says: /cannot copy (a )?directory/i,
    leaves: { 'H/file': 'file new file' },
  },
  { name: 'out: what is not there', cp: ['C:/t/nope', 'H'], says: /Could not find the file \/t\/nope in container/ },
  { name: 'out: a link stays a link', cp: ['C:/t/to-file', 'H/new'], leaves: { 'H/new': 'link file' } },
  { name: 'out: a link that is followed', cp: ['-L', 'C:/t/to-file', 'H/new'], leaves: { 'H/new': 'file old file' } },
  {
    name: 'out: a link to a folder that is followed',
    cp: ['-L', 'C:/t/to-dir', 'H/new'],
    leaves: { 'H/new': 'folder below/ below/deep old' },
  },
  {
    name: 'out: a link by its path from the root that is followed stays inside',
    cp: ['-L', 'C:/t/absolute', 'H/new'],
    leaves: { 'H/new': 'folder below/ below/deep old' },
  },
  {
    name: 'out: a link that leads above the root and is followed stays inside',
    cp: ['-L', 'C:/t/outside', 'H/new'],
    leaves: { 'H/new': 'folder below/ below/deep old' },
  },
  { name: 'out: a link to a folder with a slash', cp: ['C:/t/to-dir/', 'H/new'], leaves: { 'H/new': 'folder below/ below/deep old' } },
  { name: 'out: a link to nothing', cp: ['C:/t/dangling', 'H/new'], leaves: { 'H/new': 'link /t/later' } },
  { name: 'out: a path through a link', cp: ['C:/t/outside/below/deep', 'H/new'], leaves: { 'H/new': 'file deep one' } },
  { name: 'out: a path that goes above the root', cp: ['C:/../../t/file', 'H/new'], leaves: { 'H/new': 'file old file' } },
  { name: 'out: a file as an archive', cp: ['C:/t/file', '-'], leaves: { stdout: 'file old file' } },
  { name: 'out: a folder as an archive', cp: ['C:/t/dir', '-'], leaves: { stdout: 'folder below/ below/deep old' } },
  { name: 'out: a link as an archive', cp: ['C:/t/to-file', '-'], leaves: { stdout: 'link file' } },
  { name: 'out of a container that is not there', cp: ['nope:/t', 'H'], says: /No such container: nope/ },
];

const held = ['-v', '/vol'];
/** Where something is mounted, and while it runs. */
const mounted: readonly CpCase[] = [
  {
    name: 'into a volume of a container that was never started',
    create: held,
    cp: ['H/file', 'C:/vol'],
    leaves: { 'C:/vol/file': 'file new file' },
  },
  {
    name: 'into a volume of a container that runs',
    create: held,
    isRunning: true,
    cp: ['H/dir/.', 'C:/vol'],
    setup: [],
    leaves: { 'C:/vol': 'folder below/ below/deep new' },
  },
  { name: 'into a running container, which sees it', isRunning: true, cp: ['H/file', 'C:/t/new'], leaves: { 'C:/t/new': 'file new file' } },
  {
    name: 'into a container with a read-only root',
    create: ['--read-only'],
    cp: ['H/file', 'C:/tmp'],
    says: /container rootfs is marked read-only/,
  },
  {
    name: 'into a volume of a container with a read-only root',
    create: ['--read-only', ...held],
    cp: ['H/file', 'C:/vol'],
    leaves: { 'C:/vol/file': 'file new file' },
  },
  {
    name: 'into a read-only volume',
    create: ['-v', 'held-read-only:/vol:ro'],
    cp: ['H/file', 'C:/vol'],
    says: /mounted volume is marked read-only|read-only/,
  },
  {
    name: 'out of a container with a read-only root',
    create: ['--read-only'],
    cp: ['C:/etc/group', '-'],
    leaves: { stdout: 'file root:x:0:\ndaemon:x:1:\nusers:x:100:guest\nnobody:x:65534:\n' },
  },
];

export const cpCases: readonly CpCase[] = [...into, ...from, ...mounted];
