import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { header } from '../support/images/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'bomb-'));
const disk = withExt4({ folder, sizeMiB: 1024 });
let engine: Daemon;

before(async () => {
  engine = await Daemon.start({ folder: join(disk.path, 'engine') });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});

after(async () => {
  await engine.kill('SIGTERM');
  await disk[Symbol.asyncDispose]();
});

/** So much of zeros in one file, a thousandth of it compressed. */
function bomb(gibibytes: number): Buffer {
  const zeros = gzipSync(Buffer.alloc(16 << 20));
  return Buffer.concat([gzipSync(header({ name: 'zeros', size: gibibytes * 2 ** 30 })), ...Array<Buffer>(gibibytes * 64).fill(zeros)]);
}

const sendings = {
  'an image': () =>
    engine.api.call('POST', '/images/load?quiet=1', {
      body: makeImage({ reference: 'bomb:1', layers: [busyboxLayer(), bomb(4)] }).archive,
    }),
  'an image to import': () => engine.api.call('POST', '/images/create?fromSrc=-&repo=bomb', { body: bomb(4) }),
};

for (const [name, send] of Object.entries(sendings)) {
  test(`${name} that decompresses to more than there is room for ends with a reserve left, and leaves nothing`, {
    timeout: 240_000,
  }, async () => {
    let least = Infinity;
    const watching = setInterval(() => (least = Math.min(least, free())), 5);
    const { status, body } = await send();
    clearInterval(watching);
    assert.match(`${status} ${body}`, /no space left on device: \d+ MiB are free, and \d+ MiB are kept/);
    assert.ok(least > 24 << 20, `${least >> 20} MiB were free`);
    await expect(engine.api, 'GET', '/images/bomb/json', { statuses: [404] });
    await expect(engine.api, 'GET', '/images/bomb:1/json', { statuses: [404] });
    for (let attempt = 0; free() < 800 << 20; attempt += 1) {
      assert.ok(attempt < 600, `${free() >> 20} MiB are free, with ${readdirSync(join(disk.path, 'engine/data')).join(' ')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await createContainer(engine.api, 'after');
    assert.equal(await runToEnd(engine.api, 'after'), 0);
    await removeContainer(engine.api, 'after');
  });
}

function free(): number {
  const { bavail, bsize } = statfsSync(disk.path);
  return bavail * bsize;
}
