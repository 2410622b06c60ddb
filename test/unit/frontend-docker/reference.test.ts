import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk';
import { parseReference, showReference } from '../../../plugins/frontend/docker/http/reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test('parseReference() and showReference() give names as people write them, with a tag', () => {
  for (const [text, wanted] of [
    ['nfs', 'nfs:latest'],
    ['acme/nfs:1.4', 'acme/nfs:1.4'],
    ['docker.io/library/nfs', 'nfs:latest'],
    ['docker.io/acme/nfs', 'acme/nfs:latest'],
    ['index.docker.io/library/nfs:2', 'nfs:2'],
    ['reg:5000/acme/nfs', 'reg:5000/acme/nfs:latest'],
    ['[::1]:5000/nfs', '[::1]:5000/nfs:latest'],
    ['localhost/a__b/c-d.e_f', 'localhost/a__b/c-d.e_f:latest'],
    [`acme/nfs@${digest}`, `acme/nfs@${digest}`],
    [`acme/nfs:1@${digest}`, `acme/nfs:1@${digest}`],
  ] as const) {
    assert.equal(showReference(parseReference(text)), wanted, text);
  }
});

test('parseReference() refuses what is no reference, at once', () => {
  const long = 'a-'.repeat(255);
  for (const text of [
    '',
    ' ',
    'a b',
    '/a',
    'a/',
    'a//b',
    'a:',
    'a:/b',
    ':1',
    'a@sha256:0',
    'a:b:c',
    '-a',
    'a..b',
    'A',
    'a/B',
    'x'.repeat(513),
    long,
    'a\n',
    'npm:@a/b',
    '../a',
    'é',
  ]) {
    assert.throws(
      () => parseReference(text),
      (error) => GantryError.is(error) && error.code === 'invalid_argument' && error.message.startsWith('invalid reference format'),
      JSON.stringify(text),
    );
  }
});
