import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '@gantry/sdk/linux';

test('parseMountinfo() unescapes names and keeps every optional field', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt\\040a\\011b\\134c rw,noatime shared:7 master:1 - ext3 /dev/root rw,errors=continue',
    '37 36 0:42 / /x ro - overlay over\\040lay ro,lowerdir=/a:/b',
    'not a mount',
    '',
  ].join('\n');
  assert.deepEqual(parseMountinfo(text), [
    {
      mountId: 36,
      parentId: 35,
      device: '98:0',
      root: '/mnt1',
      mountPoint: '/mnt a\tb\\c',
      options: ['rw', 'noatime'],
      propagation: ['shared:7', 'master:1'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: 'rw,errors=continue',
    },
    {
      mountId: 37,
      parentId: 36,
      device: '0:42',
      root: '/',
      mountPoint: '/x',
      options: ['ro'],
      propagation: [],
      type: 'overlay',
      source: 'over lay',
      superOptions: 'ro,lowerdir=/a:/b',
    },
  ]);
});
