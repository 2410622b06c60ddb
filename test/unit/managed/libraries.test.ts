import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readElf } from '../../../sdk/managed/elf.ts';
import { librariesOf } from '../../../sdk/managed/libraries.ts';

const root = mkdtempSync(join(tmpdir(), 'elf-'));
after(() => rmSync(root, { recursive: true }));

const programs = [process.execPath, ...['/bin/bash', '/usr/bin/tar', '/usr/sbin/ip', '/usr/bin/python3'].filter(existsSync)];
for (const program of programs) {
  test(`librariesOf() finds for ${program} what ldd finds, without running it`, () => {
    const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
    const wanted = listed.split('\n').flatMap((line) => /(?:=>)?\s(\/\S+) \(0x/.exec(line)?.[1] ?? []);
    assert.deepEqual(
      librariesOf([program])
        .map(({ from }) => realpathSync(from))
        .toSorted(),
      [...new Set(wanted.map((path) => realpathSync(path)))].toSorted(),
    );
  });
}

test('librariesOf() puts the loader where programs name it, and what only this machine knows beside the C library', () => {
  const { interpreter } = readElf(process.execPath) ?? {};
  const places = librariesOf([process.execPath]).map(({ to }) => to);
  assert.ok(places.includes(interpreter ?? ''), `${interpreter} in ${places.join(' ')}`);
  assert.equal(new Set(places).size, places.length);
});

test('readElf() takes only programs of 64 bits, and is not led astray by what is none', () => {
  const file = (bytes: Buffer): string => {
    const path = join(root, `${readdirSync(root).length}`);
    writeFileSync(path, bytes);
    return path;
  };
  for (const bytes of [Buffer.alloc(0), Buffer.from('#!/bin/sh\n'), Buffer.from('7f454c46', 'hex'), Buffer.alloc(4096, 1)])
    assert.equal(readElf(file(bytes)), undefined);
  const head = Buffer.alloc(64);
  head.write('7f454c46', 'hex');
  head[4] = 1;
  assert.throws(() => readElf(file(head)), { code: 'invalid_argument', message: /32 bits/ });
  head[4] = 2;
  head[5] = 1;
  assert.deepEqual(readElf(file(head)), { machine: 0, needed: [], runPath: [] });
  // Tables that lie outside of the file.
  head.writeBigUInt64LE(1n << 40n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(65_535, 56);
  assert.deepEqual(readElf(file(head)), { machine: 0, needed: [], runPath: [] });
});
