import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { failpoint, parseFailpoints } from '../../../core/support/index.ts';

const door = new URL('../../../core/support/index.ts', import.meta.url).href;

function passes(setting: string, count: number): { readonly signal: NodeJS.Signals | null; readonly seen: readonly string[] } {
  const script = `import { failpoint } from ${JSON.stringify(door)};
    import { writeSync } from 'node:fs';
    for (let pass = 1; pass <= ${count}; pass += 1)
      try { failpoint('a.b'); failpoint('other'); writeSync(1, 'passed\\n'); } catch (error) { writeSync(1, (error.code ?? error.message) + '\\n'); }`;
  const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, GANTRY_FAILPOINTS: setting },
    encoding: 'utf8',
  });
  return { signal, seen: stdout.split('\n').filter((line) => line !== '') };
}

test('failpoint() does nothing when no point is armed', () => {
  assert.equal(failpoint('a.b'), undefined);
});

test('failpoint() kills its process at the wished pass, before the next statement', () => {
  assert.deepEqual(passes('a.b=1*off->1*kill', 3), { signal: 'SIGKILL', seen: ['passed'] });
});

test('failpoint() throws like a system call, then like a bug, then lets pass', () => {
  assert.deepEqual(passes('unused=hang;a.b=1*error(ENOSPC)->1*panic', 3), { signal: null, seen: ['ENOSPC', 'failpoint a.b', 'passed'] });
});

test('failpoint() delays the thread', () => {
  const began = performance.now();
  assert.deepEqual(passes('a.b=1*delay(300)', 2).seen, ['passed', 'passed']);
  assert.ok(performance.now() - began >= 300);
});

for (const [text, complaint] of [
  ['a.b', /"a\.b" has no name=terms/],
  ['a=explode', /"explode" is no term; known actions: off, error/],
  ['a=1*kill->x*off', /"x\*off" is no term/],
  ['a=delay(soon)', /"delay\(soon\)" needs milliseconds/],
] as const) {
  test(`parseFailpoints() refuses ${text} and names the part`, () => {
    assert.throws(() => parseFailpoints(text), complaint);
  });
}
