import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nft, NftElements } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

const declared = `
  map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map ports6at { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  set open4 { type ipv4_addr . inet_proto . inet_service; }
  set open6 { type ipv6_addr . inet_proto . inet_service; }
  set linked { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }`;
/** Elements of the one of two tables that are alike. */
class Tables extends NftElements {
  constructor() {
    super('one');
    nft(undefined, ['one', 'two'].map((name) => `table inet ${name} {${declared}\n}`).join('\n'));
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    nft(undefined, 'delete table inet one\ndelete table inet two');
  }
}

const elements = [
  { set: 'ports4', text: 'tcp . 8080 : 172.17.0.2 . 80' },
  { set: 'ports4', text: 'udp . 53 : 172.17.0.2 . 65535' },
  { set: 'ports4', text: 'sctp . 1 : 172.17.0.2 . 1' },
  { set: 'ports6at', text: 'fd00::1 . tcp . 8080 : fd00:1::2 . 80' },
  { set: 'ports6at', text: '::1 . tcp . 443 : ::ffff:0:1 . 443' },
  { set: 'open4', text: '10.0.0.2 . tcp . 80' },
  { set: 'open6', text: 'fd00::2 . udp . 5353' },
  { set: 'linked', text: '10.0.0.2 . 10.0.0.3 . tcp . 5432' },
];
/** As the kernel has it, without the table's name. */
const shown = (table: string): string => nft(undefined, `list table inet ${table}`).replace(`inet ${table}`, '');

test('NftElements.change() adds and removes what nft(8) would by the same words', () => {
  using direct = new Tables();
  const before = shown('one');
  direct.change({ added: elements, removed: [] });
  nft(undefined, elements.map(({ set, text }) => `add element inet two ${set} { ${text} }`).join('\n'));
  assert.equal(shown('one'), shown('two'));
  assert.notEqual(shown('one'), before);
  direct.change({ added: [{ set: 'open4', text: '10.0.0.9 . udp . 9' }], removed: elements });
  assert.match(shown('one'), /elements = \{ 10\.0\.0\.9 \. udp \. 9 \}/);
  direct.change({ added: elements, removed: [{ set: 'open4', text: '10.0.0.9 . udp . 9' }] });
  assert.equal(shown('one'), shown('two'));
});

test('NftElements.change() takes thousands at once, again what is there, and nothing at all', () => {
  using direct = new Tables();
  const many = Array.from({ length: 3_000 }, (_, index) => ({ set: 'ports4', text: `tcp . ${index + 1} : 10.0.0.2 . ${index + 1}` }));
  for (let round = 0; round < 2; round += 1) direct.change({ added: many, removed: [] });
  assert.equal(shown('one').match(/tcp \. \d+ : 10\.0\.0\.2/g)?.length, many.length);
  direct.change({ added: [], removed: many });
  assert.equal(shown('one').match(/tcp \. \d+ : 10\.0\.0\.2/g), null);
  direct.change({ added: [], removed: [] });
});

for (const [what, change] of [
  ['a set that is not there', { added: [...elements, { set: 'nowhere', text: '10.0.0.2 . tcp . 80' }], removed: [] }],
  ['the removal of what is not there', { added: elements.slice(1), removed: elements.slice(0, 1) }],
] as const)
  test(`NftElements.change() does nothing of what has ${what} in it, and says so`, () => {
    using direct = new Tables();
    const before = shown('one');
    assert.throws(() => direct.change(change), { code: 'ENOENT', message: /nft elements of (nowhere|ports4)/ });
    assert.equal(shown('one'), before);
    direct.change({ added: elements, removed: [] });
  });

test('NftElements.change() refuses another target for a port that has one', () => {
  using direct = new Tables();
  direct.change({ added: elements, removed: [] });
  assert.throws(() => direct.change({ added: [{ set: 'ports4', text: 'tcp . 8080 : 172.17.0.3 . 80' }], removed: [] }), { code: 'EEXIST' });
  assert.match(shown('one'), /tcp \. 8080 : 172\.17\.0\.2 \. 80/);
});
