import type { HeaderFields } from '../tar-builder.ts';
import { base256, body, endOfArchive, entry, gnuLongName, gnuMagic, header, pax, signedChecksum } from '../tar-builder.ts';

const mebibyte = 1024 * 1024;

/** The archives by name. They are built when asked for: two of them are megabytes. */
export const tarCases: Readonly<Record<string, () => Buffer>> = {
  // sizes
  'size-garbage': () => followed(header({ raw: { size: 'zzzzzzzzzzz\0' } })),
  'size-negative-b256': () => followed(header({ raw: { size: base256(-1024n, 12) } })),
  'size-huge-b256': () => followed(header({ raw: { size: base256(1n << 62n, 12) } })),
  'size-2^53+1-b256': () => followed(header({ raw: { size: base256((1n << 53n) + 1n, 12) } })),
  'size-space-padded': () => followed(header({ raw: { size: '         1 \0' } }), body('x')),
  'size-minus-octal': () => followed(header({ raw: { size: '-0000000001\0' } })),
  'size-nul-embedded': () => followed(header({ raw: { size: '0000\u0000000001\0' } }), body('x')),
  'size-8-9-digits': () => followed(header({ raw: { size: '00000000019\0' } }), body('x'.repeat(10))),

  // ends
  'trunc-in-body': () => joined(header({ size: 100_000 }), Buffer.alloc(700, 'x')),
  'trunc-in-header': () => joined(entry('a'), header({ name: 'b', size: 1 }).subarray(0, 300)),
  'trunc-after-header': () => header({ size: 10 }),
  'no-eoa': () => joined(entry('a'), sentinel),
  'one-zero-block': () => joined(entry('a'), Buffer.alloc(512)),
  'zero-block-then-entry': () => followed(entry('a'), Buffer.alloc(512)),
  'eoa-then-entry': () => followed(entry('a'), endOfArchive),
  'trailing-garbage': () => joined(entry('a'), endOfArchive, Buffer.alloc(777, 'G')),
  'empty-file': () => Buffer.alloc(0),
  'only-eoa': () => endOfArchive,
  'len-not-512': () => joined(entry('a'), endOfArchive, Buffer.alloc(13)),

  // checksums and magics
  'bad-checksum': () => followed(entry('a'), header({ name: 'b', raw: { checksum: '0000000\0' } })),
  'signed-checksum': () => followed(header({ name: 'caf\u00e9', checksum: signedChecksum(header({ name: 'caf\u00e9' })) })),
  'v7-magic': () => followed(entry('old', 'x', { magic: '\0'.repeat(8) })),
  'unknown-magic': () => followed(entry('old', 'x', { magic: 'ustar999' })),

  // pax records
  'pax-size-negative': () => followed(pax({ size: '-1' }), header()),
  'pax-size-nan': () => followed(pax({ size: 'abc' }), header()),
  'pax-size-float': () => followed(pax({ size: '1.5' }), header()),
  'pax-size-exp': () => followed(pax({ size: '1e3' }), header()),
  // A reader that skips by the ustar size finds an entry inside the body (CVE-2025-62518).
  'pax-size-smuggle(TARmageddon)': () =>
    followed(pax({ size: '1024' }), header({ name: 'outer' }), header({ name: 'inner-hidden' }), Buffer.alloc(512)),
  'pax-size-smaller-than-ustar': () =>
    followed(pax({ size: '0' }), header({ name: 'outer', size: 1024 }), header({ name: 'inner' }), Buffer.alloc(512, 'y')),
  'pax-size-on-meta': () => followed(pax({ size: '512' }), pax({ path: 'p2' }), entry('f')),
  'pax-nul-path': () => followed(pax({ path: 'a\0b' }), entry('f')),
  'pax-nul-linkpath': () => followed(pax({ linkpath: 'a\0b' }), header({ name: 'l', type: '2', link: 'x' })),
  'pax-empty-path': () => followed(pax({ path: '' }), entry('f')),
  'pax-dup-path': () =>
    followed(
      pax([
        ['path', 'first'],
        ['path', 'second'],
      ]),
      entry('f'),
    ),
  'pax-bad-len-short': () => followed(pax('5 path=abc\n'), entry('f')),
  'pax-bad-len-long': () => followed(pax('999 path=abc\n'), entry('f')),
  'pax-no-newline': () => followed(pax('12 path=abcd'), entry('f')),
  'pax-no-equals': () => followed(pax('9 pathabc\n'), entry('f')),
  'pax-zero-len': () => followed(pax(''), entry('f')),
  'pax-proto': () =>
    followed(
      pax([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
      entry('f'),
    ),
  'pax-global-path': () => followed(pax({ path: 'evil' }, 'g'), entry('a')),
  'pax-global-linkpath': () => followed(pax({ linkpath: '/etc/passwd' }, 'g'), header({ name: 'l', type: '2', link: 'safe' })),
  'pax-global-size': () => followed(pax({ size: '512' }, 'g'), header({ name: 'a' }), Buffer.alloc(512, 'q')),
  'pax-nonutf8-path': () => followed(pax({ path: 'caf\u00e9' }), entry('f')),
  'pax-binary-xattr': () => followed(pax({ 'SCHILY.xattr.security.capability': capability }), entry('cap')),
  'pax-then-eof': () => pax({ path: 'x' }),
  'pax-then-eoa': () => joined(pax({ path: 'x' }), endOfArchive),
  'pax-twice': () => followed(pax({ path: 'p1' }), pax({ path: 'p2' }), entry('f')),
  'pax-then-gnu-L': () => followed(pax({ path: 'paxname' }), gnuLongName('gnuname'), entry('f')),
  'gnu-L-then-pax': () => followed(gnuLongName('gnuname'), pax({ path: 'paxname' }), entry('f')),
  'gnu-L-nul-inside': () => followed(gnuLongName('ab\0cdef'), entry('f')),
  'gnu-L-1GiB-claim': () =>
    joined(header({ name: '././@LongLink', size: 1024 * mebibyte, type: 'L', magic: gnuMagic }), Buffer.alloc(mebibyte, 'a')),
  'pax-1GiB-claim': () => joined(header({ name: 'PaxHeaders/x', size: 1024 * mebibyte, type: 'x' }), Buffer.alloc(mebibyte, 'a')),
  'pax-5MiB': () => followed(pax({ comment: 'A'.repeat(5 * mebibyte) }), entry('f')),
  'pax-2MiB': () => followed(pax({ comment: 'A'.repeat(2 * mebibyte) }), entry('f')),
  'pax-negsize-hdr': () => followed(header({ name: 'PaxHeaders/x', type: 'x', raw: { size: base256(-512n, 12) } }), entry('f')),
  'pax-uid-2^32': () => followed(pax({ uid: String(2 ** 32) }), header()),
  'pax-mtime-nan': () => followed(pax({ mtime: 'abc' }), header()),
  'pax-hdrcharset-bin': () => followed(pax({ hdrcharset: 'BINARY', path: '\u00ff\u00fe' }), entry('f')),
  'pax-sparse-1.0': () =>
    followed(
      pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '10' }),
      entry('GNUSparse.0/real', `${'1\n0\n4\n'.padEnd(512, '\0')}data`),
    ),

  // types: a reader that believes the size of what has no body skips an entry
  'hardlink-with-size': () => sized('1'),
  'symlink-with-size': () => sized('2'),
  'chr-with-size': () => sized('3'),
  'blk-with-size': () => sized('4'),
  'dir-with-size': () => sized('5'),
  'fifo-with-size': () => sized('6'),
  'type-unknown-Z': () => typed({ type: 'Z' }),
  'type-7-contiguous': () => typed({ type: '7' }),
  'type-nul': () => typed({ type: '\0' }),
  'type-S-gnu-sparse': () => typed({ type: 'S', magic: gnuMagic }),
  'type-D-gnu-dumpdir': () => typed({ name: 'e/', type: 'D', magic: gnuMagic }),
  'type-M-multivol': () => typed({ type: 'M', magic: gnuMagic }),
  'type-V-volhdr': () => followed(header({ name: 'label', type: 'V', magic: gnuMagic })),
  'type-X-solaris-ext': () => typed({ type: 'X' }),
  'file-trailing-slash': () => typed({ name: 'e/' }),

  // names
  'name-empty': () => followed(entry('')),
  'name-dot': () => followed(entry('.')),
  'name-nonutf8': () => followed(entry('caf\u00e9')),
  'name-100-no-nul': () => followed(entry('n'.repeat(100))),
  'prefix-slash': () => followed(header({ prefix: 'p/' })),
  'prefix-gnu-atime': () => followed(header({ magic: gnuMagic, prefix: '01234567' })),

  // other numbers
  'uid-b256-2^31': () => followed(header({ raw: { uid: base256(1n << 31n, 8) } })),
  'uid-neg-b256': () => followed(header({ raw: { uid: base256(-1n, 8) } })),
  'uid-garbage': () => followed(header({ raw: { uid: 'xyzxyzx\0' } })),
  'mode-garbage': () => followed(header({ raw: { mode: 'rwxrwxr\0' } })),
  'mtime-neg': () => followed(header({ raw: { mtime: base256(-1n, 12) } })),
  'mtime-huge': () => followed(header({ raw: { mtime: base256(1n << 60n, 12) } })),
  'chr-big-dev': () => followed(header({ name: 'd', type: '3', device: [0o777777, 0o777777] })),
};

// The entry behind the odd one: seen or not, it tells whether the reader stayed in step.
const sentinel = entry('zz-sentinel', 'S');

// cap_net_raw=ep in revision 2 of vfs_cap_data: bytes above 0x7f must come out as they are.
const capability = Buffer.from('01000002c0200080 00000000ff000000 00000000'.replaceAll(' ', ''), 'hex').toString('latin1');

function followed(...parts: readonly Buffer[]): Buffer {
  return joined(...parts, sentinel, endOfArchive);
}

function joined(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}

function sized(type: string): Buffer {
  return followed(header({ name: 'e', size: 512, type, link: 'tgt' }), header({ name: 'inner-hidden' }));
}

function typed(fields: HeaderFields): Buffer {
  return followed(entry('e', 'abc', fields));
}
