import { body, endOfArchive, entry, gnuLongName, gnuMagic, header, pax } from './tar-builder.ts';

const folder = (name: string, fields: Parameters<typeof header>[0] = {}) =>
  header({ name: `${name}/`, type: '5', mode: 0o755, mtime: 1_000_000_000, ...fields });
const file = (name: string, text = name, fields: Parameters<typeof header>[0] = {}) =>
  entry(name, text, { mtime: 1_100_000_000, ...fields });
const symlink = (name: string, link: string) => header({ name, type: '2', link, mode: 0o777, mtime: 1_200_000_000 });
const hardLink = (name: string, link: string) => header({ name, type: '1', link, mtime: 1_100_000_000 });
const whiteout = (path: string) => entry(path.replace(/([^/]*)$/, '.wh.$1'), '');
const opaque = (path: string) => entry(`${path}/.wh..wh..opq`, '');
const layer = (...parts: readonly Buffer[]) => Buffer.concat([...parts, endOfArchive]);

const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1');
const longName = `${'d'.repeat(200)}/${'f'.repeat(250)}`;

/** Layers of images, the lowest first, by what is odd about them. */
export const oddImages: Readonly<Record<string, readonly Buffer[]>> = {
  'hard links': [
    layer(file('first'), hardLink('second', 'first'), folder('dir'), hardLink('dir/third', 'second'), file('alone')),
    layer(file('first', 'changed'), hardLink('dir/of-lower', 'alone')),
  ],
  whiteouts: [
    layer(folder('dir'), file('dir/gone'), file('dir/stays'), folder('dir/all'), file('dir/all/inside'), file('top')),
    layer(folder('dir'), whiteout('dir/gone'), whiteout('dir/all'), whiteout('top'), whiteout('never-was')),
    layer(folder('dir'), file('dir/gone', 'back again')),
  ],
  'opaque folders': [
    layer(folder('dir'), file('dir/old'), folder('dir/sub'), file('dir/sub/old')),
    layer(folder('dir', { mode: 0o700 }), file('dir/new'), opaque('dir')),
    layer(folder('dir', { mode: 0o711 }), file('dir/newer')),
  ],
  'a whiteout and its opposite in one layer': [
    layer(folder('dir'), file('dir/old'), file('file')),
    layer(whiteout('dir'), folder('dir'), file('dir/new'), whiteout('file'), file('file', 'other')),
  ],
  'kinds that change': [
    layer(folder('was-folder'), file('was-folder/inside'), file('was-file'), symlink('was-link', 'was-file')),
    layer(file('was-folder', 'now a file'), folder('was-file'), file('was-file/inside'), folder('was-link'), file('was-link/inside')),
    layer(whiteout('was-file'), symlink('was-folder', 'elsewhere')),
  ],
  'a whiteout of a folder that a lower layer has as a file': [
    layer(file('thing')),
    layer(folder('thing'), file('thing/inside')),
    layer(whiteout('thing')),
    layer(folder('thing'), file('thing/other')),
  ],
  'attributes and capabilities': [
    layer(
      pax({ 'SCHILY.xattr.security.capability': capability, 'SCHILY.xattr.user.colour': 'red\0blue' }),
      file('capable', 'x', { mode: 0o755 }),
      pax({ 'SCHILY.xattr.user.of-a-folder': 'yes' }),
      folder('dir'),
    ),
    layer(pax({ 'SCHILY.xattr.user.colour': 'green' }), file('added'), folder('dir')),
  ],
  'names that are long, and names that are not UTF-8': [
    layer(
      folder('d'.repeat(99)),
      pax({ path: `${'d'.repeat(200)}/` }),
      folder('x'),
      pax({ path: longName }),
      file('x'),
      gnuLongName('g'.repeat(150)),
      entry('x', 'gnu', { magic: gnuMagic, mtime: 1_100_000_000 }),
      file('caf\xe9'),
      file('new\nline'),
      file('\xc3\xbcmlaut'),
    ),
    layer(whiteout('caf\xe9'), file('caf\xe8')),
  ],
  'devices, fifos, and bits': [
    layer(
      folder('dev'),
      header({ name: 'dev/null', type: '3', mode: 0o666, device: [1, 3], mtime: 5 }),
      header({ name: 'dev/loop', type: '4', mode: 0o660, gid: 6, device: [7, 0], mtime: 6 }),
      header({ name: 'dev/pipe', type: '6', mode: 0o644, mtime: 7 }),
      file('suid', 'x', { mode: 0o4755 }),
      file('sgid', 'x', { mode: 0o2755, gid: 50 }),
      folder('sticky', { mode: 0o1777 }),
    ),
    layer(folder('dev'), whiteout('dev/loop'), file('suid', 'x', { mode: 0o6711 })),
  ],
  'times to the nanosecond, and before 1970': [
    layer(
      pax({ mtime: '1234567890.123456789' }),
      file('nanos'),
      pax({ mtime: '-12345.5' }),
      file('before'),
      pax({ mtime: '1700000000.000000001' }),
      folder('dir'),
    ),
  ],
  'a sparse file': [
    layer(
      pax({
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'sparse',
        'GNU.sparse.realsize': String(8 << 20),
      }),
      header({ name: 'GNUSparseFile.0/sparse', size: 512 + 4, mtime: 1_100_000_000 }),
      body('1\n4194304\n4\n'),
      body('data'),
    ),
  ],
  'folders that upper layers do not name': [
    layer(folder('owned', { mode: 0o700, uid: 5, gid: 6 }), folder('owned/deep', { mode: 0o2750, uid: 7 }), file('owned/deep/lower')),
    layer(file('owned/deep/added')),
    layer(whiteout('owned/deep/lower')),
  ],
  'folders that no layer names': [layer(file('a/b/c')), layer(file('a/d/e')), layer(whiteout('a/b/c'))],
  'a folder that a layer removes and needs again': [
    layer(folder('dir', { mode: 0o700, uid: 5 }), folder('dir/sub', { uid: 6 }), file('dir/sub/old')),
    layer(whiteout('dir'), file('dir/sub/new')),
  ],
  'files behind a symlink of a lower layer': [
    layer(folder('usr'), folder('usr/lib', { mode: 0o711 }), symlink('lib', 'usr/lib'), symlink('absolute', '/usr')),
    layer(file('lib/added'), file('absolute/also')),
  ],
};
