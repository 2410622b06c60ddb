import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheExports, cacheImports } from '../../../plugins/frontend/docker/buildkit/cache.ts';
import { exportsOf } from '../../../plugins/frontend/docker/buildkit/exports.ts';
import { cacheFilters } from '../../../plugins/frontend/docker/buildkit/filters.ts';
import { contextOf, namedSources, optionsOf, platformsOf } from '../../../plugins/frontend/docker/buildkit/options.ts';
import type { Session } from '../../../plugins/frontend/docker/buildkit/session.ts';

const session = {} as Session;
const { signal } = new AbortController();

test('namedSources() tells folders, images and addresses, and refuses what there is not, by its name', () => {
  const found = namedSources(
    session,
    {
      'context:a': 'local:a',
      'context:b::linux/amd64': 'docker-image://busybox:1',
      'context:c': 'https://host/c.git#main',
      'context:d': 'oci-layout://x@sha256:1',
    },
    signal,
  );
  assert.deepEqual(
    Object.entries(found).map(([name, source]) => [name, source.kind]),
    [
      ['a', 'folder'],
      ['b', 'image'],
      ['c', 'remote'],
      ['d', 'layout'],
    ],
  );
  for (const value of ['target:x', 'input:x'])
    assert.throws(() => namedSources(session, { 'context:n': value }, signal), /build context n: .* is not supported/);
});

test('contextOf() tells folders, standard input and addresses', () => {
  assert.equal(contextOf(session, {}, signal).kind, 'folders');
  assert.equal(contextOf(session, { context: 'local:x' }, signal).kind, 'folders');
  assert.equal(contextOf(session, { context: 'http://buildkit-session/1' }, signal).kind, 'tar');
  const remote = contextOf(session, { context: 'git://host/a', dockerfilekey: 'dockerfile' }, signal);
  assert.ok(remote.kind === 'remote' && remote.dockerfile !== undefined);
});

test('platformsOf() has each platform once, and without one the machine’s own', () => {
  assert.deepEqual(platformsOf({}), ['']);
  assert.deepEqual(platformsOf({ platform: 'linux/amd64, linux/arm64,linux/amd64' }), ['linux/amd64', 'linux/arm64']);
  assert.deepEqual([optionsOf({}).platform, optionsOf({ platform: 'a,b' }, 'b').platform], ['', 'b']);
});

test('platformsOf(), exportsOf(), cacheExports() and cacheImports() refuse what there is not, naming it', () => {
  const many = Array.from({ length: 33 }, (_, at) => `linux/a${at}`).join(',');
  assert.throws(() => platformsOf({ platform: many }), /a build is for at most 32 platforms, not for 33/);
  assert.throws(() => exportsOf([{ type: 'zip', attrs: {} }]), /exporter "zip" is not supported/);
  assert.throws(() => exportsOf([{ type: 'constructor', attrs: {} }]), /exporter "constructor" is not supported/);
  assert.throws(() => exportsOf([{ type: 'image', attrs: { name: 'x', 'push-by-digest': 'true' } }]), /push-by-digest/);
  assert.throws(() => cacheExports([{ type: 'gha', attrs: {} }]), /cache export "gha" is not supported/);
  assert.throws(() => cacheExports([{ type: 'registry', attrs: {} }]), /needs ref=NAME/);
  assert.throws(() => cacheImports({}, [{ type: 's3', attrs: {} }]), /cache import "s3" is not supported/);
  assert.throws(() => cacheImports({ 'cache-imports': '{' }, []), /cache-imports is no list/);
  assert.throws(() => cacheImports({ 'cache-imports': '3' }, []), /cache-imports is no list/);
  assert.deepEqual(cacheImports({ 'cache-imports': '[{"Type":"registry","Attrs":{"ref":"a"}}]', 'cache-from': 'b,c' }, []), [
    'a',
    'b',
    'c',
  ]);
  assert.deepEqual(cacheExports([{ type: 'inline', attrs: {} }])(['x']), []);
});

test('cacheFilters() reads what buildx prune is asked for, and refuses what it does not know', () => {
  const none = { filter: [], keepDuration: '0' };
  assert.deepEqual(cacheFilters(none), {});
  assert.deepEqual(cacheFilters({ ...none, keepDuration: '86400000000000' }), { until: ['86400s'] });
  assert.deepEqual(cacheFilters({ ...none, filter: ['type==exec.cachemount,id~=ab', 'inuse'] }), {
    type: ['exec.cachemount'],
    id: ['ab'],
    inuse: ['true'],
  });
  assert.throws(() => cacheFilters({ ...none, filter: ['type!=regular'] }), /filter "type!=regular" is not supported/);
});
