import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Privilege } from '@gantry/sdk/engine';
import { comparePrivilegeChange, comparePrivileges, delta, privilegesOf } from '../../../core/plugin-manifest/index.ts';

test('privilegesOf() gives everything that a manifest can ask for a name, and nothing for nothing', () => {
  const all = privilegesOf({
    privileges: {
      network: 'host',
      hostIpc: true,
      hostPid: true,
      hostPaths: ['/a', '/b'],
      devices: ['/dev/fuse', '/dev'],
      capabilities: ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN'],
      mountTypes: ['nfs4'],
      nftables: true,
      netns: true,
      user: 'root',
      unconfined: true,
      driverMounted: true,
      host: ['lookup:container'],
    },
  });
  assert.deepEqual(
    all.map(({ name, value }) => `${name}: ${value.join(' ')}`),
    [
      'network: host',
      'host ipc namespace: true',
      'host pid namespace: true',
      'mount: /a',
      'mount: /b',
      'device: /dev/fuse',
      'allow-all-devices: true',
      'capabilities: CAP_SYS_ADMIN CAP_NET_ADMIN',
      'mount type: nfs4',
      'nftables: true',
      'netns: true',
      'user: root',
      'unconfined: true',
      'driver-mounted: true',
      'host api: lookup:container',
    ],
  );
  assert.deepEqual(privilegesOf({}), []);
  assert.deepEqual(privilegesOf({ privileges: { network: 'none', user: 'own', nftables: false, hostPaths: [] } }), []);
});

const word = fc.constantFrom('a', 'b', 'a,b', '"a"', '');
const privileges: fc.Arbitrary<readonly Privilege[]> = fc.array(
  fc.record({ name: word, description: word, value: fc.array(word, { maxLength: 3 }) }),
  { maxLength: 4 },
);
/** The same by another way: one list less, then the other, each privilege found once. */
function isSame(a: readonly Privilege[], b: readonly Privilege[]): boolean {
  const rest = [...b];
  for (const { name, value } of a) {
    const at = rest.findIndex((one) => one.name === name && isPermutation(one.value, value));
    if (at < 0) return false;
    rest.splice(at, 1);
  }
  return rest.length === 0;
}
function isPermutation(a: readonly string[], b: readonly string[]): boolean {
  const rest = [...b];
  return a.length === b.length && a.every((value) => rest.includes(value) && rest.splice(rest.indexOf(value), 1).length === 1);
}
function accepts(a: readonly Privilege[], b: readonly Privilege[]): boolean {
  try {
    comparePrivileges(a, b);
    return true;
  } catch {
    return false;
  }
}

test('comparePrivileges() takes exactly what was asked for, in any order, and refuses everything else', () => {
  fc.assert(fc.property(privileges, privileges, (a, b) => accepts(a, b) === isSame(a, b)));
});

test('comparePrivileges() takes any order of privileges and values, whatever the descriptions', () => {
  const shuffled = privileges.chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc
        .shuffledSubarray([...list], { minLength: list.length })
        .map((again) => again.map(({ name, value }) => ({ name, description: '?', value: value.toReversed() }))),
    ),
  );
  fc.assert(fc.property(shuffled, ([a, b]) => accepts(a, b)));
});

const one = (name: string, ...value: readonly string[]): Privilege => ({ name, description: '', value });
for (const [asked, granted] of [
  [[one('mount', '/a')], [one('mount', '/')]],
  [[one('mount', '/a')], []],
  [[], [one('mount', '/a')]],
  [[one('mount', '/a')], [one('device', '/a')]],
  [[one('capabilities', 'A')], [one('capabilities', 'A', 'B')]],
  [[one('mount', '/a')], [one('mount', '/a'), one('mount', '/a')]],
  [[one('mount', '/a', '/b')], [one('mount', '/a'), one('mount', '/b')]],
] as const) {
  test(`comparePrivileges() refuses ${JSON.stringify(granted)} for ${JSON.stringify(asked)}`, () => {
    assert.throws(() => comparePrivileges(asked, granted), { code: 'invalid_argument', message: 'incorrect privileges' });
  });
}

test('comparePrivilegeChange() takes what is new, all that is asked for, and anything between', () => {
  const before = [one('mount', '/a'), one('capabilities', 'A')];
  const asked = [one('mount', '/a'), one('mount', '/b'), one('capabilities', 'B', 'C')];
  const news = [one('mount', '/b'), one('capabilities', 'B', 'C')];
  for (const granted of [news, asked, [...news, one('mount', '/a')]]) comparePrivilegeChange({ before, asked }, granted);
  comparePrivilegeChange({ before, asked: [one('mount', '/a')] }, []);
  fc.assert(fc.property(privileges, (list) => comparePrivilegeChange({ before: list, asked: list }, [])));
  for (const granted of [
    [],
    [one('mount', '/b')],
    [one('mount', '/b'), one('capabilities', 'B')],
    [...news, one('netns', 'true')],
    [...news, one('mount', '/')],
  ])
    assert.throws(() => comparePrivilegeChange({ before, asked }, granted), { code: 'invalid_argument', message: 'incorrect privileges' });
});

test('delta() names what is new, value by value, and what is gone', () => {
  const before = [one('capabilities', 'A', 'B'), one('mount', '/a'), one('netns', 'true')];
  const after = [one('capabilities', 'B', 'C'), one('mount', '/a'), one('mount', '/b')];
  assert.deepEqual(delta(before, after), {
    added: [one('capabilities', 'C'), one('mount', '/b')],
    dropped: [one('capabilities', 'A'), one('netns', 'true')],
  });
  fc.assert(fc.property(privileges, (list) => delta(list, list).added.length === 0));
});
