import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkManifest, codeOf } from '@gantry/sdk';

const good = {
  manifestVersion: 1,
  name: 'acme.nfs',
  version: '1.4.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['nfs'], priority: 10 }],
  entry: { node: 'main.ts' },
  privileges: { mountTypes: ['nfs4'] },
};

test('checkManifest() takes a whole manifest', () => {
  assert.deepEqual(checkManifest(good), good);
});

const bad: readonly (readonly [unknown, RegExp])[] = [
  [null, /^manifest must be an object$/],
  [[], /^manifest must be an object$/],
  [{ ...good, manifestVersion: 2 }, /^manifest.manifestVersion must be one of 1$/],
  [{ ...good, name: '../x' }, /^manifest.name must be a name/],
  [{ ...good, name: 'A' }, /^manifest.name must be a name/],
  [{ ...good, version: 'one' }, /^manifest.version must be a version/],
  [{ ...good, provides: [] }, /^manifest.provides must be a list that is not empty$/],
  [
    { ...good, provides: [{ contract: 'disk', versions: ['v1'], drivers: ['x'] }] },
    /^manifest.provides\[0\].contract must be one of graph, volume/,
  ],
  [
    { ...good, provides: [{ contract: 'volume', versions: ['v1'], drivers: ['a b'] }] },
    /^manifest.provides\[0\].drivers\[0\] must be a driver name/,
  ],
  [
    { ...good, provides: [{ contract: 'volume', versions: ['v1'], drivers: ['x'], priority: 0 }] },
    /priority must be a whole number from 1 to 1000$/,
  ],
  [{ ...good, privilege: {} }, /^manifest.privilege must be left out: no such field$/],
  [{ ...good, privileges: { mountTypes: 'nfs4' } }, /^manifest.privileges.mountTypes must be a list$/],
  [{ ...good, entry: 'main.ts' }, /^manifest.entry must be an object$/],
];
for (const [value, message] of bad) {
  test(`checkManifest() refuses: ${message.source}`, () => {
    assert.throws(
      () => checkManifest(value),
      (error) => codeOf(error) === 'invalid_argument' && message.test((error as Error).message),
    );
  });
}
