import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const script = `
  import { optimiseLater } from ${JSON.stringify(import.meta.resolve('../../../core/bin/optimiser.mjs'))};
  const hot = (name) => {
    const loop = new Function('n', '/* ' + name + ' */ let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum');
    for (let i = 0; i < 2_000; i++) loop(10_000);
    console.log('did ' + name);
  };
  const settled = optimiseLater();
  hot('first');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  hot('second');
  await settled();
  hot('third');
  process.exit(0);`;

test('a command optimises nothing at first, then does, and has stopped before its end', () => {
  const { stdout, status } = spawnSync(process.execPath, ['--trace-opt', '--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.equal(status, 0);
  const [first = '', second = '', third = ''] = stdout.split(/did \w+/);
  const hasOptimised = (text: string): boolean => text.includes('compiling method');
  assert.deepEqual([first, second, third].map(hasOptimised), [false, true, false], stdout);
});
