import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildImage } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { indexedImage, layoutOf } from '../../support/images/indexed-image.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { architecture } from '../../support/plugins/served-image.ts';

inNamespaces(import.meta.url);
leakGuard();

const base = indexedImage('base');
let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
  const archive = async function* () {
    yield layoutOf(base, 'docker.io/library/base:1');
  };
  await under.engine.images.load(archive(), {});
});
after(() => under[Symbol.asyncDispose]());

const names = ['BUILDPLATFORM', 'BUILDOS', 'BUILDARCH', 'BUILDVARIANT', 'TARGETPLATFORM', 'TARGETOS', 'TARGETARCH', 'TARGETVARIANT'];
const own = [`linux/${architecture}`, 'linux', architecture, ''];
for (const [platform, target] of [
  ['', own],
  [`linux/${architecture}`, own],
  ['linux/s390x', ['linux/s390x', 'linux', 's390x', '']],
  ['linux/arm/v7', ['linux/arm/v7', 'linux', 'arm', 'v7']],
] as const) {
  test(`Builds.build() ${platform === '' ? 'without a platform' : `for ${platform}`} gives the arguments that say for what it builds, and where`, async () => {
    const labels = names.map((name) => `${name}="\${${name}}"`).join(' ');
    const Dockerfile = `FROM scratch\n${names.map((name) => `ARG ${name}\n`).join('')}LABEL ${labels} undeclared="$TARGETFOO"\n`;
    const { id } = await buildImage(under.engine, { Dockerfile }, { platform });
    const { config } = under.engine.images.inspect(id);
    assert.deepEqual(
      names.map((name) => config.config?.Labels?.[name]),
      [...own, ...target],
    );
    assert.deepEqual([config.os, config.architecture, config.variant ?? ''], target.slice(1));
  });
}

test('Builds.build() leaves them unset in a stage that does not declare them, and knows them in every FROM', async () => {
  const Dockerfile = 'FROM scratch AS on-linux\nFROM on-${TARGETOS}\nLABEL a="<$TARGETARCH>"\n';
  const { id } = await buildImage(under.engine, { Dockerfile });
  assert.deepEqual(under.engine.images.inspect(id).config.config?.Labels, { a: '<>' });
});

for (const [from, platform, expected] of [
  ['base:1', '', architecture],
  ['base:1', 'linux/s390x', 's390x'],
  ['--platform=$BUILDPLATFORM base:1', 'linux/s390x', architecture],
  ['--platform=$TARGETPLATFORM base:1', 'linux/riscv64', 'riscv64'],
  ['--platform=linux/riscv64 base:1', '', 'riscv64'],
] as const) {
  test(`Builds.build() of FROM ${from} ${platform === '' ? '' : `for ${platform} `}stands on the image for ${expected}`, async () => {
    const { id } = await buildImage(under.engine, { Dockerfile: `FROM ${from}\nLABEL of="${expected} ${platform}"\n` }, { platform });
    assert.equal(under.engine.images.inspect(id).parent, base.parts.get(expected)?.id);
  });
}

test('Builds.build() for another platform runs in stages for its own, and in those that stand on them', async () => {
  const Dockerfile = `FROM --platform=$BUILDPLATFORM busybox AS tools
ARG TARGETARCH
RUN echo "made for $TARGETARCH" > /made
FROM tools AS more
RUN cp /made /more
FROM scratch
COPY --from=more /more /more
`;
  const { id } = await buildImage(under.engine, { Dockerfile }, { platform: 'linux/s390x' });
  assert.equal(under.engine.images.inspect(id).config.architecture, 's390x');
  const { id: more } = await buildImage(under.engine, { Dockerfile }, { platform: 'linux/s390x', target: 'more' });
  assert.equal(under.engine.images.inspect(more).config.architecture, architecture);
  assert.equal((await under.run('', { config: { Image: more, Cmd: ['cat', '/more'] } })).stdout, 'made for s390x\n');
});

test('Builds.build() copies from the image for its platform', async () => {
  for (const [platform, expected] of [
    ['', architecture],
    ['linux/s390x', 's390x'],
  ] as const) {
    const { id } = await buildImage(under.engine, { Dockerfile: 'FROM scratch\nCOPY --from=base:1 / /\n' }, { platform });
    await using files = await under.engine.builds.files(id, {});
    const listed = await files.list();
    assert.ok(
      listed.some(({ name }) => name.endsWith(`base ${expected}`)),
      JSON.stringify(listed),
    );
  }
});
