import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binarySize, ellipsis, humanDuration, humanSize, shortId } from '../../../core/cli/format/human.ts';
import { drawTable } from '../../../core/cli/format/listing.ts';
import { showPorts } from '../../../core/cli/format/ports.ts';

test('humanDuration() says it as docker does', () => {
  const said = [0, 1, 59, 60, 119, 120, 3599, 3600, 7200, 86_400, 172_800, 1_209_600, 5_184_000, 63_072_000].map(humanDuration);
  assert.deepEqual(said, [
    'Less than a second',
    '1 second',
    '59 seconds',
    'About a minute',
    'About a minute',
    '2 minutes',
    '59 minutes',
    'About an hour',
    '2 hours',
    '24 hours',
    '2 days',
    '2 weeks',
    '2 months',
    '2 years',
  ]);
});

test('humanSize() and binarySize() keep three and four digits', () => {
  assert.deepEqual(
    [0, 999, 1000, 4_711, 1_234_567, 5e9].map((bytes) => humanSize(bytes)),
    ['0B', '999B', '1kB', '4.71kB', '1.23MB', '5GB'],
  );
  assert.deepEqual([0, 1023, 1024, 1_572_864, 1_234_567_890].map(binarySize), ['0B', '1023B', '1KiB', '1.5MiB', '1.15GiB']);
});

test('shortId() and ellipsis() cut', () => {
  assert.deepEqual(
    [shortId(`sha256:${'a'.repeat(64)}`), ellipsis('abcdef', 4), ellipsis('abcd', 4), ellipsis('😀😀😀', 2)],
    ['a'.repeat(12), 'abc…', 'abcd', '😀…'],
  );
});

test('drawTable() aligns wide characters and leaves no blanks at the ends', () => {
  assert.equal(
    drawTable([
      ['NAME', 'SIZE'],
      ['日本', '1'],
      ['a', ''],
    ]),
    'NAME   SIZE\n日本   1\na',
  );
});

test('showPorts() joins runs of ports, per address', () => {
  const port = (PrivatePort: number, PublicPort?: number, IP?: string) => ({
    PrivatePort,
    Type: 'tcp',
    ...(PublicPort === undefined ? {} : { PublicPort, IP: IP ?? '0.0.0.0' }),
  });
  assert.equal(
    showPorts([port(81, 8081), port(80, 8080), port(80, 8080, '::'), port(82, 9000), port(443)]),
    '0.0.0.0:8080-8081->80-81/tcp, [::]:8080->80/tcp, 0.0.0.0:9000->82/tcp, 443/tcp',
  );
});
