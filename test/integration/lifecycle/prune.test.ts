import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Filters } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine.ts';
import { inNamespaces } from '../../support/namespaces.ts';
import { entry } from '../../support/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  // Something that runs keeps busybox.
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

const past = '2001-01-01T00:00:00Z';
const future = '2100-01-01';

/** Of containers, images and volumes named red (colour=red), blue (colour=blue, keep) and plain, those that go; of times containers alone. */
const rows: readonly (readonly [filters: Filters, goes: readonly string[]])[] = [
  [{ label: ['colour'] }, ['blue', 'red']],
  [{ label: ['colour=red'] }, ['red']],
  [{ label: ['colour=red', 'keep'] }, []],
  [{ label: ['colour', 'keep'] }, ['blue']],
  [{ 'label!': ['keep'] }, ['plain', 'red']],
  [{ 'label!': ['keep', 'colour=red'] }, ['plain']],
  [{ label: ['colour'], 'label!': ['colour=blue'] }, ['red']],
  [{ until: [past] }, []],
  [{ until: ['1h'] }, []],
  [{ until: [future] }, ['blue', 'plain', 'red']],
  [{ until: [future], label: ['keep'] }, ['blue']],
];
const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  red: { colour: 'red' },
  blue: { colour: 'blue', keep: '' },
  plain: {},
};

for (const [filters, goes] of rows) {
  test(`prune with ${JSON.stringify(filters)} takes ${goes.join(' and ') || 'nothing'}`, async () => {
    const { containers, images, volumes } = under.engine;
    const ids = new Map<string, string>();
    for (const [name, Labels] of Object.entries(labels)) {
      ids.set(await under.create('true', { name, config: { Image: 'busybox', Labels } }), name);
      await under.image(name, [entry(name, name)], { Labels });
      ids.set(images.inspect(name).id, name);
      await volumes.create({ name, labels: Labels });
    }
    const named = (found: readonly (string | undefined)[]): readonly string[] => found.flatMap((id) => ids.get(id ?? '') ?? []).toSorted();
    assert.deepEqual(named((await containers.prune({ filters })).deleted), goes, 'containers');
    if (!('until' in filters)) {
      const ofImages = (await images.prune({ filters: { ...filters, dangling: ['false'] } })).deleted;
      assert.deepEqual(named(ofImages.map((one) => ('deleted' in one ? one.deleted : undefined))), goes, 'images');
      assert.deepEqual((await volumes.prune({ filters: { ...filters, all: ['true'] } })).deleted.toSorted(), goes, 'volumes');
    }
    for (const name of Object.keys(labels)) {
      await volumes.remove(name, { force: true });
      await containers.remove(name, { force: true }).catch(() => undefined);
      await images.remove(name, { force: true, prune: true }).catch(() => undefined);
    }
  });
}

for (const [filters, message] of [
  [{ colour: ['red'] }, /invalid filter 'colour'/],
  [{ until: ['soon'] }, /failed to parse value as time or duration: "soon"/],
  [{ until: ['1h', '2h'] }, /more than one until filter specified/],
] as const) {
  test(`prune refuses ${JSON.stringify(filters)}, and takes nothing`, async () => {
    const { containers, images } = under.engine;
    await using container = await under.created();
    await assert.rejects(containers.prune({ filters }), { code: 'invalid_argument', message });
    await assert.rejects(images.prune({ filters }), { code: 'invalid_argument', message });
    assert.equal(containers.inspect(container.id).id, container.id);
    assert.equal(images.inspect('busybox').repoTags[0], 'busybox:latest');
  });
}
