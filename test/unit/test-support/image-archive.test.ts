import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { busyboxImage, busyboxLayer } from '../../support/images/busybox.ts';
import { digestOf, makeImage } from '../../support/images/image-archive.ts';

function list(archive: Buffer): string[] {
  return execFileSync('tar', ['--list'], { input: archive, encoding: 'utf8' }).trim().split('\n');
}

function read(archive: Buffer, name: string): Buffer {
  return execFileSync('tar', ['--extract', '--to-stdout', name], { input: archive, maxBuffer: 64 * 1024 * 1024 });
}

test('busyboxImage() is the same archive each time, and its manifest names blobs that it has', () => {
  const image = busyboxImage();
  assert.equal(digestOf(image.archive), digestOf(busyboxImage().archive));
  const [{ Config, RepoTags, Layers }] = JSON.parse(read(image.archive, 'manifest.json').toString()) as [
    { Config: string; RepoTags: string[]; Layers: string[] },
  ];
  assert.deepEqual(RepoTags, ['busybox:latest']);
  assert.equal(digestOf(read(image.archive, Config)), image.imageId);
  assert.deepEqual(
    Layers.map((path) => digestOf(read(image.archive, path))),
    image.diffIds,
  );
});

test('makeImage() leaves Docker’s manifest.json out of an OCI layout and stores a layer used twice once', () => {
  const layer = busyboxLayer();
  const { archive, manifestDigest } = makeImage({ format: 'oci', layers: [layer, layer] });
  assert.deepEqual(
    list(archive).filter((name) => !name.startsWith('blobs/')),
    ['oci-layout', 'index.json'],
  );
  assert.equal(list(archive).filter((name) => name.startsWith('blobs/')).length, 3);
  const { manifests } = JSON.parse(read(archive, 'index.json').toString()) as { manifests: [{ digest: string }] };
  assert.equal(manifests[0].digest, manifestDigest);
});
