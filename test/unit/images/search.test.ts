import assert from 'node:assert/strict';
import { test } from 'node:test';
import { searchFilter, searchQuestion } from '../../../core/search.ts';

const questions = [
  ['busybox', 'docker.io', 'busybox'],
  ['library/busybox', 'docker.io', 'busybox'],
  ['acme/app', 'docker.io', 'acme/app'],
  ['docker.io/acme/app', 'docker.io', 'acme/app'],
  ['index.docker.io/x', 'docker.io', 'x'],
  ['localhost/x', 'localhost', 'x'],
  ['reg.example:5000/acme/app', 'reg.example:5000', 'acme/app'],
  ['reg:5000/library/x', 'reg:5000', 'library/x'],
] as const;
for (const [given, host, term] of questions)
  test(`search for ${given} asks ${host} for ${term}`, () => assert.deepEqual(searchQuestion(given), { host, term, limit: 25 }));

const refused: readonly (readonly [() => unknown, RegExp])[] = [
  [() => searchQuestion(''), /a term to search for is needed/],
  [() => searchQuestion('reg.example:5000/'), /a term to search for is needed/],
  [() => searchQuestion('https://reg.example/x'), /invalid repository name \(https:\/\/reg\.example\/x\)/],
  [() => searchQuestion('a\nb'), /invalid search term/],
  [() => searchQuestion('x'.repeat(301)), /invalid search term/],
  [() => searchQuestion('x', 101), /limit 101 is outside the range of \[1, 100\]/],
  [() => searchQuestion('x', -1), /limit -1 is outside/],
  [() => searchFilter({ colour: ['red'] }), /invalid filter 'colour'/],
  [() => searchFilter({ stars: ['many'] }), /invalid filter 'stars=\[many\]'/],
  [() => searchFilter({ 'is-official': ['perhaps'] }), /invalid filter 'is-official=\[perhaps\]'/],
  [() => searchFilter({ 'is-official': ['true', 'false'] }), /invalid filter 'is-official=\[true false\]'/],
];
for (const [ask, message] of refused) test(`a search is refused with ${message.source}`, () => assert.throws(ask, message));

test('filters of a search', () => {
  const found = { name: 'x', description: '', stars: 5, isOfficial: true, isAutomated: false };
  assert.ok(searchFilter({})(found));
  assert.ok(searchFilter({ stars: ['5'], 'is-official': ['1'], 'is-automated': ['false'] })(found));
  assert.ok(!searchFilter({ stars: ['6'] })(found));
  assert.ok(!searchFilter({ stars: ['1', '6'] })(found));
  assert.ok(!searchFilter({ 'is-official': ['false'] })(found));
});
