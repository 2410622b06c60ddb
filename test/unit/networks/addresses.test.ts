import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contains, formatAddress, formatCidr, lastOf, networkOf, overlaps, parseAddress, parseCidr } from '@gantry/sdk/network';
import fc from 'fast-check';

test('parseAddress() takes one spelling of IPv4 and no zones', () => {
  for (const bad of ['10.1', '0x7f.0.0.1', '010.1.1.1', '1.2.3.4 ', '', 'fe80::1%eth0', '1.2.3.256', 'a/b', '::1::']) {
    assert.equal(parseAddress(bad), undefined, bad);
  }
  assert.deepEqual(parseAddress('10.0.0.1'), { family: 4, value: 0x0a000001n });
  assert.deepEqual(parseAddress('fd00::1'), { family: 6, value: (0xfdn << 120n) | 1n });
});

test('formatAddress() undoes parseAddress()', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(parse(text)) === text));
  fc.assert(fc.property(fc.ipV6(), (text) => parse(formatAddress(parse(text))).value === parse(text).value));
});

test('parseCidr() keeps host bits and networkOf() clears them', () => {
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', 'zz', '::/129', '10.0.0.0/'])
    assert.equal(parseCidr(bad), undefined, bad);
  const cidr = cidrOf('10.9.0.5/24');
  assert.equal(formatCidr(cidr), '10.9.0.5/24');
  assert.equal(formatCidr(networkOf(cidr)), '10.9.0.0/24');
  assert.equal(formatAddress({ family: 4, value: lastOf(cidr) }), '10.9.0.255');
});

test('contains() and overlaps() never mix families', () => {
  assert.equal(contains(cidrOf('10.0.0.0/8'), cidrOf('10.9.0.0/24')), true);
  assert.equal(contains(cidrOf('10.9.0.0/24'), cidrOf('10.0.0.0/8')), false);
  assert.equal(contains(cidrOf('::/0'), parse('1.2.3.4')), false);
  assert.equal(overlaps(cidrOf('10.0.0.0/8'), cidrOf('10.255.0.0/16')), true);
  assert.equal(overlaps(cidrOf('0.0.0.0/0'), cidrOf('::/0')), false);
});

const parse = (text: string) => parseAddress(text) ?? assert.fail(text);
const cidrOf = (text: string) => parseCidr(text) ?? assert.fail(text);
