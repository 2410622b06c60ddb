import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const top = join(import.meta.dirname, '../..');

function namesIn(glob: string, pattern: RegExp): ReadonlySet<string> {
  const sources = globSync(glob, {
    cwd: top,
    exclude: ['core/support/**', 'test/robustness/failpoints.test.ts', 'test/robustness/plugins/**'],
  }).map((file) => readFileSync(join(top, file), 'utf8'));
  return new Set(sources.flatMap((source) => [...source.matchAll(pattern)].map(([, name = '']) => name)));
}

const inCode = namesIn('{core,plugins}/**/*.ts', /\bfailpoint\('([^']+)'\)/g);
const inTests = namesIn(
  '{test/robustness/**/*.ts,test/integration/{volumes,logs}/kill.test.ts,test/integration/execute/helpers.test.ts}',
  /'([a-z]+(?:\.[a-z-]+)+)(?:=[^']*)?'/g,
);

test('failpoint() names in the code and in the robustness tests are the same', () => {
  const untested = [...inCode].filter((name) => !inTests.has(name));
  assert.deepEqual(untested.toSorted(), [...knownUntested].toSorted(), 'failpoints that no test kills at');
  const gone = [...inTests].filter(
    (name) =>
      /^(load|pull|push|blob|layer|create|rw|volume|start|stop|remove|image|commit|diff|exec|kill|plugin|log|network)\./.test(name) &&
      !inCode.has(name),
  );
  assert.deepEqual(gone, [], 'failpoints that the code does not have');
});

/** Not interrupted yet: blobs that come over the network, which no operation asks for so far. */
const knownUntested = ['blob.write', 'blob.fsync'];
