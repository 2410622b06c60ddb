import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAddress, checkPool } from '../../../core/networks/ipam/ipam-check.ts';

const told: string[] = [];
const grants = { plugin: 'acme.ipam', onViolation: (what: string) => void told.push(what) };

for (const [pool, wished, message] of [
  [{ poolId: 'p', cidr: '10.0.0.0' }, { family: 4, cidr: '' }, /"10\.0\.0\.0" is no prefix/],
  [{ poolId: 'p', cidr: '10.0.0.1/24' }, { family: 4, cidr: '' }, /bits set behind its prefix/],
  [{ poolId: 'p', cidr: '10.0.0.0/24' }, { family: 6, cidr: '' }, /is not IPv6/],
  [{ poolId: 'p', cidr: '10.0.0.0/24' }, { family: 4, cidr: '10.0.0.0/23' }, /for the wished 10\.0\.0\.0\/23/],
  [{ poolId: '', cidr: '10.0.0.0/24' }, { family: 4, cidr: '' }, /id of 0 characters/],
] as const) {
  test(`checkPool() refuses ${pool.cidr} and blames the plugin: ${message.source}`, () => {
    told.length = 0;
    assert.throws(() => checkPool(pool, wished, grants), { code: 'internal', message });
    assert.match(told.join(), message);
  });
}

test('checkPool() takes the wished pool, also when the wish has more bits than its prefix', () => {
  told.length = 0;
  checkPool({ poolId: 'p', cidr: '10.0.0.0/24' }, { family: 4, cidr: '10.0.0.7/24' }, grants);
  checkPool({ poolId: 'p', cidr: 'fd00::/64' }, { family: 6, cidr: '' }, grants);
  assert.deepEqual(told, []);
});

test('checkAddress() takes what is in the pool, and blames the plugin for anything else', () => {
  told.length = 0;
  assert.equal(checkAddress({ address: '10.0.0.7/16' }, '10.0.0.0/24', grants), '10.0.0.7/16');
  for (const address of ['10.0.1.7/24', '10.0.0.7', '', 'fd00::1/64'])
    assert.throws(() => checkAddress({ address }, '10.0.0.0/24', grants), {
      code: 'internal',
      message: /acme\.ipam returned an invalid answer/,
    });
  assert.equal(told.length, 4);
});
