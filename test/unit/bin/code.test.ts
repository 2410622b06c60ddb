import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { code as codeOfCheckout } from '../../../core/bin/code.mjs';

const top = mkdtempSync(join(tmpdir(), 'code-'));
after(() => rmSync(top, { recursive: true }));
cpSync(new URL('../../../core/bin/code.mjs', import.meta.url), join(top, 'core/bin/code.mjs'));
const { code } = (await import(join(top, 'core/bin/code.mjs'))) as { readonly code: typeof codeOfCheckout };
const source = join(top, 'core/a.ts');
const list = 'dist/core/main.sources.json';

function write(path: string, text: string): void {
  mkdirSync(dirname(join(top, path)), { recursive: true });
  writeFileSync(join(top, path), text);
}
/** A checkout that was built as it is. */
function build(): void {
  write('core/a.ts', 'a');
  const { mtimeMs, size } = statSync(source);
  write(list, JSON.stringify([['core/a.ts', mtimeMs, size]]));
}
const chosen = () => code('core/main').slice(pathToFileURL(top).href.length + 1);

test('code() is the build while each source is as it was', () => {
  build();
  assert.equal(chosen(), 'dist/core/main.js');
});

const stale: readonly (readonly [string, () => void])[] = [
  ['there is no build', () => rmSync(join(top, list))],
  ['the list of sources is cut off', () => write(list, '[["core/a.ts", 17')],
  ['a source has grown', () => write('core/a.ts', 'ab')],
  ['a source of the same size is younger', () => utimesSync(source, 2e9, 2e9)],
  ['a source of the same size is older', () => utimesSync(source, 1e9, 1e9)],
  ['a source is gone', () => rmSync(source)],
];
for (const [why, change] of stale) {
  test(`code() is the sources when ${why}`, () => {
    build();
    change();
    assert.equal(chosen(), 'core/main.ts');
  });
}

test('code() is the sources when GANTRY_SOURCE is 1', (t) => {
  build();
  process.env['GANTRY_SOURCE'] = '1';
  t.after(() => delete process.env['GANTRY_SOURCE']);
  assert.equal(chosen(), 'core/main.ts');
});

test('code() is next to the programs in a published package', () => {
  build();
  write('core/index.js', '');
  assert.equal(chosen(), 'core/main.js');
});
