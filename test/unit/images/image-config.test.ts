import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GantryError } from '@gantry/sdk';
import { parseImageConfig } from '../../../core/images/config/image-config.ts';
import { parseDocument } from '../../../core/images/json/parse.ts';

test('parseImageConfig() keeps what it does not know and fills what Go leaves out', () => {
  const bytes = Buffer.from('{"rootfs":{"type":"layers","diff_ids":null},"config":null,"history":null,"x":{"y":[1]},"os":""}');
  assert.deepEqual(parseImageConfig(bytes, 'config'), {
    architecture: '',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
    x: { y: [1] },
  });
});

const wrong = fc.constantFrom<unknown>(null, [], {}, -1, 1e300, 'x', true, [null], { a: null }, { type: 'layers' });
const names = ['architecture', 'os', 'created', 'author', 'config', 'rootfs', 'history', 'variant', 'comment'];
const configNames = ['Env', 'Cmd', 'Labels', 'ExposedPorts', 'Volumes', 'User', 'Healthcheck', 'OnBuild', 'StopTimeout', 'Shell'];

test('parseImageConfig() accepts or refuses any value in any field, and never fails otherwise', () => {
  const good = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } };
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.constantFrom(...configNames), wrong, wrong, (name, inner, outerValue, innerValue) => {
      for (const document of [
        { ...good, [name]: outerValue },
        { ...good, config: { [inner]: innerValue } },
      ]) {
        try {
          JSON.stringify(parseImageConfig(Buffer.from(JSON.stringify(document)), 'config'));
        } catch (error) {
          assert.ok(GantryError.is(error) && error.code === 'invalid_argument', String(error));
        }
      }
    }),
  );
});

test('parseDocument() finds a key that is said twice, however it is written, and no other', () => {
  for (const text of ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"x":{"b":1 ,"c":{"b":2},"b" :3}}]']) {
    assert.throws(() => parseDocument(Buffer.from(text), 'it'), { message: /^it says "[ab]" twice$/ }, text);
  }
  for (const text of ['{"a":{"a":1},"b":["a","a"],"c":"a"}', '{"a":"\\"a\\":","b":"}{"}', '["a","a"]']) {
    assert.deepEqual(parseDocument(Buffer.from(text), 'it'), JSON.parse(text));
  }
});

test('parseDocument() reads what JSON.parse reads, as long as no key is doubled', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      assert.deepEqual(parseDocument(Buffer.from(text), 'it'), JSON.parse(text));
    }),
  );
});

test('parseDocument() refuses what would be deep to write again', () => {
  const deep = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  assert.doesNotThrow(() => parseDocument(deep(64), 'it'));
  assert.throws(() => parseDocument(deep(65), 'it'), { code: 'invalid_argument' });
  assert.throws(() => parseDocument(Buffer.from('['.repeat(1_000_000)), 'it'), { code: 'invalid_argument' });
});
