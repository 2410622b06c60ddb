import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNetns, nft, NftPlace, openNetns, removeNetns } from '@gantry/sdk/linux';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const root = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'nft-'));
const path = join(root, 'ns');
createNetns(path);
const netns = openNetns(path);
after(() => {
  closeSync(netns);
  removeNetns(path);
  rmSync(root, { recursive: true });
});

test('nft() changes the rules of that namespace only, and answers lists as text and JSON', () => {
  nft(
    netns,
    'add table inet ours\nadd chain inet ours c { type filter hook input priority 0; }\nadd rule inet ours c tcp dport 22 accept comment "one"',
  );
  assert.match(nft(netns, 'list table inet ours'), /type filter hook input priority 0;.*\n.*tcp dport 22 accept comment "one"/);
  const { nftables } = JSON.parse(nft(netns, 'list tables', { json: true })) as { nftables: readonly { table?: { name: string } }[] };
  assert.deepEqual(
    nftables.flatMap(({ table }) => table?.name ?? []),
    ['ours'],
  );
  assert.equal(nft(undefined, 'list tables'), '');
});

test('nft() does all or nothing, and says what nft says', () => {
  const home = readlinkSync('/proc/thread-self/ns/net');
  assert.throws(() => nft(netns, 'add table ip half\nadd rule ip half absent accept'), {
    code: 'invalid_argument',
    message: 'nft refused the rules: Could not process rule: No such file or directory',
  });
  assert.throws(() => nft(netns, 'add table ip half\nnonsense'), { message: /syntax error, unexpected/, code: 'invalid_argument' });
  assert.throws(() => nft(netns, 'delete table ip absent'), { message: /No such file or directory, in: delete table ip absent$/ });
  assert.throws(() => nft(netns, 'add table ip half\0'), { code: 'invalid_argument' });
  assert.doesNotMatch(nft(netns, 'list tables'), /half/);
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
});

test('nft() echoes what was added, with its handle', () => {
  nft(netns, 'add table ip echoed; add chain ip echoed c');
  assert.match(nft(netns, 'add rule ip echoed c drop', { echo: true, handles: true }), /^add rule ip echoed c drop # handle \d+$/m);
});

test('nft() with dryRun checks only', () => {
  nft(netns, 'add table ip dry', { dryRun: true });
  assert.doesNotMatch(nft(netns, 'list tables'), /dry/);
  assert.throws(() => nft(netns, 'add table ip dry { nonsense }', { dryRun: true }), { code: 'invalid_argument' });
});

test('a process with more than a thousand descriptors is refused a session, not ended, and has one in a place that it kept', () => {
  using place = new NftPlace();
  const many = Array.from({ length: 1_100 }, () => openSync('/dev/null', 'r'));
  try {
    assert.throws(() => nft(undefined, 'list tables'), { code: 'exhausted', message: /no descriptor below 1024 is free/ });
    assert.equal(
      place.use(() => nft(undefined, 'list tables')),
      '',
    );
    assert.equal(
      place.use(() => nft(undefined, 'list tables')),
      '',
      'and again',
    );
  } finally {
    for (const descriptor of many) closeSync(descriptor);
  }
});
