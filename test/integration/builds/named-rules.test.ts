import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { buildImage, contextTar } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

const compressions: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  nothing: (bytes) => bytes,
  gzip: gzipSync,
  zstd: zstdCompressSync,
  bzip2: (input) => execFileSync('bzip2', ['-c'], { input }),
  xz: (input) => execFileSync('xz', ['-c'], { input }),
};

for (const [name, compressed] of Object.entries(compressions))
  test(`Builds.build() takes a context that is compressed by ${name}, and ADD unpacks an archive that is, under any name`, async () => {
    const inner = compressed(contextTar({ 'in/f': `by ${name}\n` }));
    const Dockerfile = 'FROM busybox\nADD archive /out/\nCOPY archive /kept\nRUN cat /out/in/f; wc -c < /kept\n';
    const { text } = await buildImage(under.engine, compressed(contextTar({ Dockerfile, archive: inner })));
    assert.match(text, new RegExp(`\\nby ${name}\\n${inner.length}\\n`));
  });

test('Builds.build() runs no step again for a proxy that is given, and does for one that the Dockerfile declares', async () => {
  const build = async (dockerfile: string, HTTP_PROXY: string) => {
    const { text } = await buildImage(
      under.engine,
      { Dockerfile: `FROM busybox\n${dockerfile}RUN echo "$HTTP_PROXY"\n` },
      { buildArgs: { HTTP_PROXY } },
    );
    return text;
  };
  assert.match(await build('', 'http://one'), /\nhttp:\/\/one\n/);
  assert.match(await build('', 'http://two'), /RUN echo "\$HTTP_PROXY"\n ---> Using cache\n/);
  assert.match(await build('ARG HTTP_PROXY\n', 'http://one'), /\nhttp:\/\/one\n/);
  assert.match(await build('ARG HTTP_PROXY\n', 'http://two'), /\nhttp:\/\/two\n/);
});
