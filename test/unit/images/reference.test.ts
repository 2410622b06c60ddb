import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalText, familiarName, familiarText, parseReference, withDefaultTag } from '../../../core/images/reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

const good: readonly (readonly [text: string, canonical: string, familiar: string])[] = [
  ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
  ['library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['index.docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['docker.io/a/b/c:1', 'docker.io/a/b/c:1', 'a/b/c:1'],
  ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ['bitnami/redis:7', 'docker.io/bitnami/redis:7', 'bitnami/redis:7'],
  ['localhost/a', 'localhost/a:latest', 'localhost/a:latest'],
  ['localhost:5000/a:b', 'localhost:5000/a:b', 'localhost:5000/a:b'],
  ['127.0.0.1:1/x:y', '127.0.0.1:1/x:y', '127.0.0.1:1/x:y'],
  ['[2001:db8::1]:5000/a', '[2001:db8::1]:5000/a:latest', '[2001:db8::1]:5000/a:latest'],
  ['Registry/a', 'Registry/a:latest', 'Registry/a:latest'],
  ['ghcr.io/a/b-c__d.e:V1.0_x-', 'ghcr.io/a/b-c__d.e:V1.0_x-', 'ghcr.io/a/b-c__d.e:V1.0_x-'],
  ['a----b', 'docker.io/library/a----b:latest', 'a----b:latest'],
  ['sha256:00', 'docker.io/library/sha256:00', 'sha256:00'],
  [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`],
  [`a@${digest}`, `docker.io/library/a@${digest}`, `a@${digest}`],
  [`a:1@${digest}`, `docker.io/library/a@${digest}`, `a:1@${digest}`],
  ['f'.repeat(63), `docker.io/library/${'f'.repeat(63)}:latest`, `${'f'.repeat(63)}:latest`],
];

for (const [text, canonical, familiar] of good) {
  test(`parseReference() reads ${text.slice(0, 60)}`, () => {
    const reference = withDefaultTag(parseReference(text));
    assert.deepEqual([canonicalText(reference), familiarText(reference)], [canonical, familiar]);
  });
}

const format = 'invalid reference format';
const bad: readonly (readonly [text: string, message: string])[] = [
  ['', format],
  [' ', format],
  ['BusyBox', `${format}: repository name (library/BusyBox) must be lowercase`],
  ['A b', `${format}: repository name (library/A b) must be lowercase`],
  ['a/B:x', `${format}: repository name (a/B) must be lowercase`],
  ['busybox:', format],
  ['busybox:a b', format],
  ['busybox:.x', format],
  ['busybox:-x', format],
  ['busybox:a:b', format],
  [`a:${'t'.repeat(129)}`, format],
  ['../../etc/passwd', format],
  ['a/../b', format],
  ['/a', format],
  ['a/', format],
  ['a//b', format],
  ['-a', format],
  ['a-', format],
  ['a___b', format],
  ['a..b', format],
  ['a\n', format],
  ['a\0b', format],
  ['é', format],
  ['https://a/b', format],
  ['a.b:x/c', format],
  ['-a.b/c', format],
  ['[::1/a', format],
  ['[]:1/a', format],
  ['a@', format],
  ['a@sha256:', format],
  ['a@sha256:zz', format],
  ['a@sha256:../../../../v2/other/blobs/x', format],
  [`a@sha256:${'a'.repeat(63)}`, `${format}: only sha256 digests of 64 lowercase hex digits are known`],
  [`a@sha256:${'a'.repeat(65)}`, `${format}: only sha256 digests of 64 lowercase hex digits are known`],
  [`a@sha256:${'A'.repeat(64)}`, `${format}: only sha256 digests of 64 lowercase hex digits are known`],
  [`a@sha512:${'a'.repeat(128)}`, `${format}: only sha256 digests of 64 lowercase hex digits are known`],
  [`a@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
  ['a'.repeat(254), 'repository name must not be more than 255 characters'],
  ['a'.repeat(2_000), format],
  [`${'a-'.repeat(400)}!`, format],
  ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
];

for (const [text, message] of bad) {
  test(`parseReference() refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(() => parseReference(text), { code: 'invalid_argument', message });
  });
}

test('familiarName() is the repository alone', () => {
  assert.equal(familiarName(parseReference('docker.io/library/busybox:1')), 'busybox');
  assert.equal(familiarName(parseReference('ghcr.io/a/b:1')), 'ghcr.io/a/b');
});

test('parseReference() reads its own canonical and familiar text again, and answers any text at once', () => {
  const character = fc.constantFrom(...Array.from('aA0._-/:@[]\n '));
  fc.assert(
    fc.property(fc.array(character, { maxLength: 300 }), (characters) => {
      const text = characters.join('');
      let reference;
      try {
        reference = parseReference(text);
      } catch {
        return;
      }
      assert.deepEqual(parseReference(familiarText(reference)), reference);
      assert.equal(canonicalText(parseReference(canonicalText(reference))), canonicalText(reference));
    }),
    { numRuns: 2_000 },
  );
});
