import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generated } from '../../proto/generate.ts';

const top = join(import.meta.dirname, '../../..');
const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');

test('what is made of proto/ is up to date: npm run generate', () => {
  for (const [path, text] of generated())
    assert.equal(readFileSync(join(top, path), 'utf8'), text, `${path} is out of date: npm run generate`);
});

test('buf lint finds nothing in proto/', () => {
  const { status, stdout, stderr } = spawnSync(buf, ['lint', 'proto'], { cwd: top, encoding: 'utf8' });
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});

test('proto/ breaks nothing that the last tag promised', (context) => {
  const tag = lastTagWithProtos();
  if (tag === undefined) return context.skip('needs a tag that has proto/buf.yaml');
  const { status, stdout, stderr } = spawnSync(buf, ['breaking', 'proto', '--against', `.git#tag=${tag},subdir=proto`], {
    cwd: top,
    encoding: 'utf8',
  });
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});

function lastTagWithProtos(): string | undefined {
  try {
    const tags = execFileSync('git', ['tag', '--sort=-creatordate', '--merged'], { cwd: top, encoding: 'utf8' }).trim().split('\n');
    return tags.find((tag) => tag !== '' && spawnSync('git', ['cat-file', '-e', `${tag}:proto/buf.yaml`], { cwd: top }).status === 0);
  } catch {
    return undefined;
  }
}
