import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { AccountFiles } from '../../../core/cli/daemon/accounts.ts';
import { missingRemapUser } from '../../../core/cli/daemon/remap-user.ts';
import { remappedIds } from '../../../core/cli/daemon/userns-remap.ts';

const files: AccountFiles = {
  passwd: 'root:x:0:0::/:/bin/sh\ndockremap:x:998:997::/:/bin/false\nalice:x:4242:4242::/:/bin/sh\nbob:x:4343:50::/:/bin/sh',
  group: 'root:x:0:\ndockremap:x:997:\nalice:x:4242:\nstaff:x:50:\n',
  subuid: '# users\ndockremap:100000:65536\n\nalice:700000:65536\nalice:300000:1000\n4343:500000:70000\n',
  subgid: 'dockremap:100000:65536\nalice:300000:65536\nstaff:500000:70000\n',
};
const one = (outside: number, size = 65_536) => [{ inside: 0, outside, size }];
const alices = {
  uids: [
    { inside: 0, outside: 300_000, size: 1000 },
    { inside: 1000, outside: 700_000, size: 65_536 },
  ],
  gids: one(300_000),
};

for (const [wish, expected] of [
  ['default', { uids: one(100_000), gids: one(100_000) }],
  ['dockremap', { uids: one(100_000), gids: one(100_000) }],
  ['alice', alices],
  ['4242', alices],
  ['alice:staff', alices],
  ['4242:50', alices],
  ['bob:staff', { uids: one(500_000, 70_000), gids: one(500_000, 70_000) }],
  ['4343:50', { uids: one(500_000, 70_000), gids: one(500_000, 70_000) }],
] as const)
  test(`remappedIds() reads ${wish} as dockerd does`, () => assert.deepEqual(remappedIds(wish, files), expected));

const of = (ranges: string): Partial<AccountFiles> => ({ subuid: ranges });
for (const [what, wish, changed, message, hint] of [
  ['nobody', '', {}, 'userns-remap: "" is no user', /user:group or uid:gid/],
  ['a group alone', ':staff', {}, 'userns-remap: ":staff" is no user', /user:group or uid:gid/],
  ['no group', 'alice:', {}, 'userns-remap: "alice:" is no user', /user:group or uid:gid/],
  ['three parts', 'a:b:c', {}, 'userns-remap: "a:b:c" is no user', /user:group or uid:gid/],
  ['an unknown user', 'nobody-such', {}, 'userns-remap: there is no user nobody-such', /getent passwd/],
  ['an unknown uid', '4999999', {}, 'userns-remap: there is no user 4999999', /getent passwd/],
  ['an unknown group', 'alice:nobody-such', {}, 'userns-remap: there is no group nobody-such', /user:group/],
  ['a user without a group of that name', 'bob', {}, 'userns-remap: there is no group bob', /user:group/],
  ['root', 'root', {}, 'userns-remap: root is root of this machine, who cannot be mapped to himself', /leave it out/],
  ['uid 0', '0:0', {}, 'userns-remap: root is root of this machine, who cannot be mapped to himself', /leave it out/],
  ['no ids', 'alice', of('bob:1:65536'), 'userns-remap: /etc/subuid has no ids for alice', /usermod --add-subuids FIRST-LAST alice/],
  ['no file', 'alice', of(''), 'userns-remap: /etc/subuid has no ids for alice', /usermod/],
  ['no groups', 'alice', { subgid: '' }, 'userns-remap: /etc/subgid has no ids for alice', /usermod --add-subgids FIRST-LAST alice/],
  ['too few', 'alice', of('alice:5000:65535'), 'userns-remap: /etc/subuid has 65535 ids for alice, and containers need 65536', /usermod/],
  [
    'an overlap',
    'alice',
    of('alice:5000:70000\nalice:74999:9'),
    'userns-remap: ranges of alice in /etc/subuid overlap at 74999',
    /correct/,
  ],
  [
    'the machine’s root',
    'alice',
    of('alice:0:65536'),
    'userns-remap: /etc/subuid gives alice the id 0, which is root of this machine',
    /correct/,
  ],
  ['a line with two fields', 'alice', of('x:1:1\nalice:1'), 'userns-remap: line 2 of /etc/subuid is not NAME:FIRST:COUNT: "alice:1"', /^$/],
  ['a line with words', 'alice', of('alice:a:b'), 'userns-remap: line 1 of /etc/subuid is not NAME:FIRST:COUNT: "alice:a:b"', /^$/],
  ['a count of none', 'alice', of('alice:5:0'), 'userns-remap: line 1 of /etc/subuid is not NAME:FIRST:COUNT: "alice:5:0"', /^$/],
  ['a negative first', 'alice', of('alice:-5:9'), 'userns-remap: line 1 of /etc/subuid is not NAME:FIRST:COUNT: "alice:-5:9"', /^$/],
  [
    'ids that do not exist',
    'alice',
    of('alice:4294967290:65536'),
    'userns-remap: line 1 of /etc/subuid is not NAME:FIRST:COUNT: "alice:4294967290:65536"',
    /^$/,
  ],
] as const) {
  test(`remappedIds() refuses ${what} in one line`, () =>
    assert.throws(
      () => remappedIds(wish, { ...files, ...changed }),
      (error: Error & { readonly code: string; readonly hint?: string }) => {
        assert.deepEqual([error.code, error.message], ['invalid_argument', message]);
        assert.match(error.hint ?? '', hint);
        return true;
      },
    ));
}

/** Accounts are asked for beyond the files, too. */
const skip = spawnSync('getent', ['passwd', 'dockremap']).status === 0 ? 'this machine has a dockremap' : false;
const none = { passwd: 'root:x:0:0::/:/bin/sh', group: 'root:x:0:', subuid: '', subgid: '' };
for (const [what, changed, missing, expected] of [
  ['nothing', {}, { group: true, user: true, uids: 100_000, gids: 100_000 }, { uids: one(100_000), gids: one(100_000) }],
  [
    'others with ids',
    { subuid: 'alice:100000:65536\nbob:300000:1000\ncarol:50000:10', subgid: 'alice:50000:70000\n' },
    { group: true, user: true, uids: 301_000, gids: 120_000 },
    { uids: one(301_000), gids: one(120_000) },
  ],
  [
    'ids that an earlier start gave it before it failed',
    { subuid: 'dockremap:500000:65536' },
    { group: true, user: true, gids: 100_000 },
    { uids: one(500_000), gids: one(100_000) },
  ],
  [
    'the user alone',
    { passwd: 'dockremap:x:998:997::/:/bin/false', group: 'dockremap:x:997:' },
    { group: false, user: false, uids: 100_000, gids: 100_000 },
    { uids: one(100_000), gids: one(100_000) },
  ],
] as const)
  test(`missingRemapUser() says what default needs where there is ${what}, and remappedIds() what that gives`, { skip }, () => {
    const given = { ...none, ...changed };
    assert.deepEqual(missingRemapUser(given), missing);
    assert.deepEqual(remappedIds('default', given), expected);
  });

test('missingRemapUser() finds nothing missing where dockremap has all, and no ids where there are no more', () => {
  assert.equal(missingRemapUser(files), undefined);
  assert.throws(() => missingRemapUser({ ...none, subgid: 'alice:4294900000:60000' }), {
    code: 'invalid_argument',
    message: 'userns-remap: /etc/subgid gives ids up to 4294959999, and 65536 more are not left for dockremap',
    hint: 'give dockremap some that nobody has, as in dockremap:100000:65536',
  });
});
