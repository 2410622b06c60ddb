import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Filters } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entry } from '../../support/images/tar-builder.ts';

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

/**
 * Of containers, images, networks and volumes named red (colour=red), blue (colour=blue, keep) and plain, those that go. The images say that they were made in 1970, so that
 * other ones go by their time; volumes have none.
 */
const rows: readonly (readonly [filters: Filters, goes: readonly string[], ofImages?: readonly string[]])[] = [
  [{}, ['blue', 'plain', 'red']],
  [{ label: ['colour'] }, ['blue', 'red']],
  [{ label: ['colour=red'] }, ['red']],
  [{ label: ['colour='] }, []],
  [{ label: ['keep='] }, ['blue']],
  [{ label: ['COLOUR'] }, []],
  [{ label: ['colour=red', 'keep'] }, []],
  [{ label: ['colour', 'keep'] }, ['blue']],
  [{ 'label!': ['keep'] }, ['plain', 'red']],
  [{ 'label!': ['colour=red'] }, ['blue', 'plain']],
  [{ 'label!': ['keep', 'colour=red'] }, ['plain']],
  [{ label: ['colour'], 'label!': ['colour=blue'] }, ['red']],
  [{ until: ['1960-01-01'] }, []],
  [{ until: [past] }, [], ['blue', 'plain', 'red']],
  [{ until: ['978307200'] }, [], ['blue', 'plain', 'red']],
  [{ until: ['1h30m'] }, [], ['blue', 'plain', 'red']],
  [{ until: [future] }, ['blue', 'plain', 'red']],
  [{ until: [future], label: ['keep'] }, ['blue']],
  [{ until: [past], 'label!': ['keep'] }, [], ['plain', 'red']],
];
const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  red: { colour: 'red' },
  blue: { colour: 'blue', keep: '' },
  plain: {},
};

for (const [filters, goes, ofImages = goes] of rows) {
  test(`prune with ${JSON.stringify(filters)} takes ${goes.join(' and ') || 'nothing'}`, async () => {
    const { containers, images, networks, volumes } = under.engine;
    const ids = new Map<string, string>();
    for (const [name, Labels] of Object.entries(labels)) {
      ids.set(await under.create('true', { name, config: { Image: 'busybox', Labels } }), name);
      await under.image(name, [entry(name, name)], { Labels });
      ids.set(images.inspect(name).id, name);
      await networks.create({ name, labels: Labels });
      await volumes.create({ name, labels: Labels });
    }
    const named = (found: readonly (string | undefined)[]): readonly string[] => found.flatMap((id) => ids.get(id ?? '') ?? []).toSorted();
    assert.deepEqual(named((await containers.prune({ filters })).deleted), goes, 'containers');
    assert.deepEqual((await networks.prune({ filters })).deleted.toSorted(), goes, 'networks');
    const gone = (await images.prune({ filters: { ...filters, dangling: ['false'] } })).deleted;
    assert.deepEqual(named(gone.map((one) => ('deleted' in one ? one.deleted : undefined))), ofImages, 'images');
    if (!('until' in filters))
      assert.deepEqual((await volumes.prune({ filters: { ...filters, all: ['true'] } })).deleted.toSorted(), goes, 'volumes');
    for (const name of Object.keys(labels)) {
      await volumes.remove(name, { force: true });
      await containers.remove(name, { force: true }).catch(() => undefined);
      await images.remove(name, { force: true, prune: true }).catch(() => undefined);
      await networks.remove(name).catch(() => undefined);
    }
  });
}

const yes = ['true', '1'];
const no = ['false', '0'];

for (const [value, takesNamed] of [...yes.map((one) => [one, false] as const), ...no.map((one) => [one, true] as const)]) {
  test(`prune of images with dangling=${value} takes ${takesNamed ? 'what nobody uses, named or not' : 'what has no name'}`, async () => {
    const { images } = under.engine;
    await under.image('named', [entry('named', 'named')]);
    await under.image('former', [entry('former', 'former')]);
    const former = images.inspect('former').id;
    await under.image('former', [entry('latter', 'latter')]);
    const { deleted } = await images.prune({ filters: { dangling: [value] } });
    const untagged = deleted.flatMap((one) => ('untagged' in one ? [one.untagged] : []));
    assert.ok(deleted.some((one) => 'deleted' in one && one.deleted === former));
    assert.deepEqual(untagged.toSorted(), takesNamed ? ['former:latest', 'named:latest'] : []);
    for (const name of ['named', 'former']) await images.remove(name, { force: true, prune: true }).catch(() => undefined);
  });
}

for (const [value, takesNamed] of [...yes.map((one) => [one, true] as const), ...no.map((one) => [one, false] as const)]) {
  test(`prune of volumes with all=${value} takes ${takesNamed ? 'named ones too' : 'anonymous ones'}`, async () => {
    const { volumes } = under.engine;
    await volumes.create({ name: 'named' });
    const anonymous = (await volumes.create({})).name;
    const wanted = takesNamed ? [anonymous, 'named'] : [anonymous];
    assert.deepEqual((await volumes.prune({ filters: { all: [value] } })).deleted.toSorted(), wanted.toSorted());
    await volumes.remove('named', { force: true });
  });
}

type Kind = 'containers' | 'images' | 'networks' | 'volumes';
const [dated, all]: readonly (readonly Kind[])[] = [
  ['containers', 'images', 'networks'],
  ['containers', 'images', 'networks', 'volumes'],
];
for (const [filters, kinds, message] of [
  [{ colour: ['red'] }, all, "invalid filter 'colour'"],
  [{ Label: ['colour'] }, all, "invalid filter 'Label'"],
  [{ name: ['red'] }, all, "invalid filter 'name'"],
  [{ until: ['soon'] }, dated, 'failed to parse value as time or duration: "soon"'],
  [{ until: [''] }, dated, 'failed to parse value as time or duration: ""'],
  [{ until: ['2024-13-01'] }, dated, 'failed to parse value as time or duration: "2024-13-01"'],
  [{ until: ['1h', '2h'] }, dated, 'more than one until filter specified'],
  [{ until: ['1h'] }, ['volumes'], "invalid filter 'until'"],
  [{ dangling: ['true'] }, ['containers', 'networks', 'volumes'], "invalid filter 'dangling'"],
  [{ dangling: ['maybe'] }, ['images'], "invalid filter 'dangling=[maybe]'"],
  [{ dangling: ['true', 'false'] }, ['images'], "invalid filter 'dangling=[true false]'"],
  [{ reference: ['busybox'] }, ['images'], "invalid filter 'reference'"],
  [{ before: ['busybox'] }, ['images'], "invalid filter 'before'"],
  [{ all: ['true'] }, ['containers', 'images', 'networks'], "invalid filter 'all'"],
  [{ all: ['maybe'] }, ['volumes'], "invalid filter 'all=maybe'"],
  [{ driver: ['local'] }, ['volumes', 'networks'], "invalid filter 'driver'"],
] as const satisfies readonly (readonly [Filters, readonly Kind[] | undefined, string])[]) {
  test(`prune of ${kinds?.join(', ')} refuses ${JSON.stringify(filters)}, and takes nothing`, async () => {
    const { engine } = under;
    await using container = await under.created();
    const { name: volume } = await engine.volumes.create({});
    const { id: network } = await engine.networks.create({ name: 'stays' });
    for (const kind of kinds ?? []) await assert.rejects(engine[kind].prune({ filters }), { code: 'invalid_argument', message }, kind);
    assert.equal(engine.containers.inspect(container.id).id, container.id);
    assert.equal(engine.images.inspect('busybox').repoTags[0], 'busybox:latest');
    assert.equal((await engine.volumes.inspect(volume)).name, volume);
    assert.equal(engine.networks.inspect(network).id, network);
    await engine.volumes.remove(volume, { force: false });
    await engine.networks.remove('stays');
  });
}
