import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitAddress, isGit, shownRemote, submoduleRemote } from '../../../plugins/builder/dockerfile/git/address.ts';

const good: readonly (readonly [text: string, remote: string, ref: string, subdir: string])[] = [
  ['https://host/a.git', 'https://host/a.git', '', ''],
  ['https://host/a.git#', 'https://host/a.git', '', ''],
  ['https://host/a.git#main', 'https://host/a.git', 'main', ''],
  ['https://host/a.git#:sub/dir', 'https://host/a.git', '', 'sub/dir'],
  ['https://host/a.git#feature/x-1.2:/sub//dir/', 'https://host/a.git', 'feature/x-1.2', 'sub/dir'],
  ['git://host:9418/a#refs/pull/1/head', 'git://host:9418/a', 'refs/pull/1/head', ''],
  ['github.com/moby/moby#v1', 'https://github.com/moby/moby', 'v1', ''],
  ['http://user:word@host/a.git', 'http://user:word@host/a.git', '', ''],
  ['git@host:group/a.git#main:d', 'git@host:group/a.git', 'main', 'd'],
  ['ssh://git@host:2222/a.git', 'ssh://git@host:2222/a.git', '', ''],
];

for (const [text, remote, ref, subdir] of good)
  test(`gitAddress() of ${text}`, () => {
    assert.equal(isGit(text), true);
    assert.deepEqual(gitAddress(text), { remote, ref, subdir });
  });

test('isGit() knows repositories from files of the web, and from paths', () => {
  const others = ['https://host/a.tar.gz', 'https://host/git', 'http://host/a.git.tar', './a.git', 'a', 'file:///a.git', 'ext::x.git'];
  assert.deepEqual(others.filter(isGit), []);
});

test('submoduleRemote() reads an address from where its repository lies', () => {
  const parent = 'https://host/group/app.git';
  assert.equal(submoduleRemote(parent, '../lib.git'), 'https://host/group/lib.git');
  assert.equal(submoduleRemote(parent, '../../other/lib'), 'https://host/other/lib');
  assert.equal(submoduleRemote(parent, './inner'), 'https://host/group/app.git/inner');
  assert.equal(submoduleRemote(parent, '../../../../etc'), 'https://host/etc');
  assert.equal(submoduleRemote(parent, 'https://elsewhere/x'), 'https://elsewhere/x');
  assert.equal(submoduleRemote('git@host:group/app.git', '../lib.git'), 'git@host:group/lib.git');
  assert.equal(submoduleRemote('git@host:group/app.git', '../../../../etc'), 'git@host:etc');
  assert.equal(submoduleRemote(parent, 'git@host:x'), 'git@host:x');
  for (const bad of [
    '/etc',
    'file:///etc',
    'ext::sh -c x',
    '-x',
    'git@host:-x',
    '-git@host:x',
    'git@-host:x',
    'ssh://-host/x',
    'https://-host/x',
    '',
  ])
    assert.throws(() => submoduleRemote(parent, bad), /git address|git repositories/);
});

test('shownRemote() leaves out what only its owner may know', () => {
  assert.equal(shownRemote('https://user:word@host/a.git'), 'https://***@host/a.git');
  assert.equal(shownRemote('https://host/a@b.git'), 'https://host/a@b.git');
});
