import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bind, device, hostPath, mount, overlay } from '@gantry/sdk/author';

const described: readonly (readonly [string, unknown, unknown])[] = [
  ['bind()', bind('a'), { type: 'bind', source: { data: 'a' } }],
  ['bind() read-only', bind(hostPath('/srv'), 'ro'), { type: 'bind', source: { host: '/srv' }, readOnly: true }],
  [
    'mount.tmpfs()',
    mount.tmpfs({ size: '1m', mode: '700' }),
    { type: 'tmpfs', source: { opaque: 'tmpfs' }, options: ['size=1m', 'mode=700'] },
  ],
  ['mount.nfs4()', mount.nfs4('s:/x', ['soft'], true), { type: 'nfs4', source: { opaque: 's:/x' }, options: ['soft'], readOnly: true }],
  ['mount.ext4()', mount.ext4(device('/dev/vdb')), { type: 'ext4', source: { device: '/dev/vdb' } }],
  ['mount.erofs()', mount.erofs('image'), { type: 'erofs', source: { data: 'image' }, readOnly: true }],
  [
    'mount.fuse()',
    mount.fuse({ argv: ['sshfs', '-f', '{fd}'], readyTimeoutMs: 5 }),
    { type: 'fuse', source: { opaque: 'sshfs' }, helper: { argv: ['sshfs', '-f', '/dev/fd/3'], readyTimeoutMs: 5 } },
  ],
  [
    'mount.fuse() with files and paths',
    mount.fuse({
      argv: ['x', '{file:key}', '{path:tree}'],
      files: { key: 'words' },
      paths: { tree: 'tree', image: { path: hostPath('/i'), readOnly: true } },
      env: ['A=b'],
      capabilities: ['CAP_CHOWN'],
      source: 'shown',
    }),
    {
      type: 'fuse',
      source: { opaque: 'shown' },
      helper: {
        argv: ['x', '{file:key}', '{path:tree}'],
        env: ['A=b'],
        files: { key: Buffer.from('words') },
        paths: { tree: { path: { data: 'tree' }, readOnly: false }, image: { path: { host: '/i' }, readOnly: true } },
        capabilities: ['CAP_CHOWN'],
      },
    },
  ],
  [
    'overlay()',
    overlay({ lower: ['b', 'a'], upper: 'u', work: 'w', options: [] }),
    {
      type: 'overlay',
      source: { opaque: 'overlay' },
      overlay: { lower: [{ data: 'b' }, { data: 'a' }], upper: { data: 'u' }, work: { data: 'w' } },
    },
  ],
  [
    'overlay() without an upper folder',
    overlay({ lower: ['b', 'a'], options: [] }),
    { type: 'overlay', source: { opaque: 'overlay' }, readOnly: true, overlay: { lower: [{ data: 'b' }, { data: 'a' }] } },
  ],
];
for (const [what, given, expected] of described) test(`${what} describes`, () => assert.deepEqual(given, expected));

for (const option of ['', 'a,b', 'a\nb', 'a\0b']) {
  test(`mount builders refuse ${JSON.stringify(option)} as an option`, () => {
    assert.throws(() => mount.nfs4('s:/x', [option]), { code: 'invalid_argument', message: /is not one option/ });
  });
}

test('overlay() wants a lower folder, and upper and work together', () => {
  assert.throws(() => overlay({ lower: [] }), { code: 'invalid_argument' });
  // @ts-expect-error: an upper folder needs a work folder
  overlay({ lower: ['a'], upper: 'b' });
});
