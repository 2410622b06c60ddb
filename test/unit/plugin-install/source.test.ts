import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSource } from '../../../core/plugin-install/index.ts';

const reference = (domain: string, path: string, rest: object): object => ({ kind: 'registry', reference: { domain, path, ...rest } });
for (const [text, source] of [
  ['folder:/a/b', { kind: 'folder', path: '/a/b' }],
  ['/a/b', { kind: 'folder', path: '/a/b' }],
  ['/a/b.tgz', { kind: 'tarball', path: '/a/b.tgz' }],
  ['/a/b.tar.gz', { kind: 'tarball', path: '/a/b.tar.gz' }],
  ['folder:/a/b.tgz', { kind: 'folder', path: '/a/b.tgz' }],
  ['npm:nfs', { kind: 'npm', name: 'nfs', range: 'latest' }],
  ['npm:@acme/nfs@^1.2 || ~3', { kind: 'npm', name: '@acme/nfs', range: '^1.2 || ~3' }],
  ['npm:@acme/nfs', { kind: 'npm', name: '@acme/nfs', range: 'latest' }],
  ['vieux/sshfs', reference('docker.io', 'vieux/sshfs', { tag: 'latest' })],
  ['oci:localhost:5000/nfs:1', reference('localhost:5000', 'nfs', { tag: '1' })],
  ['localhost:5000/nfs', reference('localhost:5000', 'nfs', { tag: 'latest' })],
  ['nfs:1', reference('docker.io', 'library/nfs', { tag: '1' })],
  [`a.b/nfs@sha256:${'0'.repeat(64)}`, reference('a.b', 'nfs', { digest: `sha256:${'0'.repeat(64)}` })],
] as const) {
  test(`parseSource() reads ${text}`, () => assert.deepEqual(parseSource(text), source));
}

for (const text of [
  '',
  './dist',
  '../x',
  'folder:x',
  'folder:',
  'npm:',
  'npm:@acme',
  'npm:../x',
  'npm:-g',
  'npm:a@--registry=http://x',
  'npm:a@file:../x',
  'npm:a@git+ssh://x',
  'npm:a@https://x/y.tgz',
  'npm:a@acme/x',
  'npm:a b',
  'oci:',
  'oci:UPPER',
  'http://x/y',
  'a\0b',
  '/a\nb',
  'x'.repeat(5000),
]) {
  test(`parseSource() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(() => parseSource(text), { code: 'invalid_argument' });
  });
}
