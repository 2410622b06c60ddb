import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const base = layer('base');

/** Three images: two of them share a layer, one has no name. */
async function open() {
  const room = RoomUnderTest.open();
  const one = makeImage({ layers: [base], reference: 'one:1', config: { Labels: { a: '1', b: 'x=y' }, Cmd: ['sh'] } });
  const two = makeImage({ layers: [base, layer('two')], reference: 'quay.io/team/two:latest' });
  const none = makeImage({ layers: [layer('none')] });
  for (const { archive } of [one, two, none]) await room.load(archive);
  room.takeEvents();
  return { room, one: one.imageId, two: two.imageId, none: none.imageId };
}

test('Images.list() filters as Docker does and shows only the names that are meant', async () => {
  const { room, one, two, none } = await open();
  await using _room = room;
  await room.images.tag('one:1', 'other/one:2');
  const ids = async (filters: Readonly<Record<string, readonly string[]>>) =>
    new Set((await room.images.list({ filters })).map(({ id }) => id));
  assert.deepEqual(await ids({}), new Set([one, two, none]));
  assert.deepEqual(await ids({ dangling: ['true'] }), new Set([none]));
  assert.deepEqual(await ids({ dangling: ['false'] }), new Set([one, two]));
  assert.deepEqual(await ids({ label: ['a'] }), new Set([one]));
  assert.deepEqual(await ids({ label: ['a=1', 'b=x=y'] }), new Set([one]));
  assert.deepEqual(await ids({ label: ['a=2'] }), new Set());
  assert.deepEqual(await ids({ 'label!': ['a'] }), new Set([two, none]));
  assert.deepEqual(await ids({ reference: ['one'] }), new Set([one]));
  assert.deepEqual(await ids({ reference: ['quay.io/*/two'] }), new Set([two]));
  assert.deepEqual(await ids({ reference: ['*'] }), new Set([one]));
  assert.deepEqual(await ids({ until: ['2000-01-01'] }), new Set([one, two, none]));
  assert.deepEqual(await ids({ until: ['1960-01-01'] }), new Set());
  assert.deepEqual(await ids({ since: ['one:1'] }), new Set());
  const [shown] = await room.images.list({ filters: { reference: ['*/one:*'] } });
  assert.deepEqual(shown?.repoTags, ['other/one:2']);
});

test("Images.list() refuses filters in Docker's words", async () => {
  const { room } = await open();
  await using _room = room;
  const refused: readonly (readonly [filters: Readonly<Record<string, readonly string[]>>, code: string, message: string])[] = [
    [{ bad: ['x'] }, 'invalid_argument', "invalid filter 'bad'"],
    [{ dangling: ['maybe'] }, 'invalid_argument', "invalid filter 'dangling=[maybe]'"],
    [{ dangling: ['true', 'false'] }, 'invalid_argument', "invalid filter 'dangling=[true false]'"],
    [{ before: ['nope'] }, 'not_found', 'No such image: nope:latest'],
    [{ until: ['tomorrow'] }, 'invalid_argument', 'failed to parse value as time or duration: "tomorrow"'],
    [{ reference: ['[a'] }, 'invalid_argument', "invalid filter 'reference=[a': syntax error in pattern"],
  ];
  for (const [filters, code, message] of refused) await assert.rejects(room.images.list({ filters }), { code, message });
});

test('Images.list() sums what images share and counts who uses them, when asked', async () => {
  const { room, one, two, none } = await open();
  await using _room = room;
  room.users.set(one, [{ id: 'c'.repeat(64), running: false }]);
  const sizes = new Map(
    (await room.images.list({ sharedSize: true })).map((image) => [image.id, [image.sharedSizeBytes, image.containers]]),
  );
  assert.deepEqual(
    [sizes.get(one), sizes.get(two), sizes.get(none)],
    [
      [4, 1],
      [4, 0],
      [0, 0],
    ],
  );
  assert.deepEqual(
    [...new Set((await room.images.list({})).map(({ sharedSizeBytes, containers }) => `${sharedSizeBytes} ${containers}`))],
    ['-1 -1'],
  );
});

test('Images.inspect() finds by name, id, unique beginning of an id, and says what it does not find', async () => {
  const { room, one } = await open();
  await using _room = room;
  for (const name of ['one:1', 'docker.io/library/one:1', one, one.slice(7), one.slice(7, 19), one.slice(0, 19)]) {
    assert.equal(room.images.inspect(name).id, one);
  }
  const refused: readonly (readonly [name: string, code: string, message: string])[] = [
    ['one', 'not_found', 'No such image: one:latest'],
    ['nosuchimage:zz', 'not_found', 'No such image: nosuchimage:zz'],
    ['sha256:00', 'not_found', 'No such image: sha256:00'],
    ['BusyBox', 'invalid_argument', 'invalid reference format: repository name (library/BusyBox) must be lowercase'],
    ['../../etc', 'invalid_argument', 'invalid reference format'],
    ['', 'invalid_argument', 'invalid reference format'],
    ['0'.repeat(64), 'not_found', `No such image: sha256:${'0'.repeat(64)}`],
    [`one@${one}`, 'not_found', `No such image: one@${one}`],
  ];
  for (const [name, code, message] of refused) assert.throws(() => room.images.inspect(name), { code, message }, name);
});

test('Images.tag() names an image once more, takes the name from another, and refuses what is no tag', async () => {
  const { room, one, two } = await open();
  await using _room = room;
  await room.images.tag('one:1', 'quay.io/team/two');
  assert.deepEqual(room.images.inspect(one).repoTags, ['one:1', 'quay.io/team/two:latest']);
  assert.deepEqual(room.images.inspect(two).repoTags, []);
  assert.match(room.images.inspect(one).lastTagged, /^20\d\d-/);
  assert.deepEqual(room.takeEvents(), ['tag quay.io/team/two:latest']);
  await assert.rejects(room.images.tag('one:1', 'A'), {
    message: 'invalid reference format: repository name (library/A) must be lowercase',
  });
  await assert.rejects(room.images.tag('one:1', `a@${one}`), { message: 'refusing to create a tag with a digest reference' });
  await assert.rejects(room.images.tag('one:1', 'sha256:a'), { code: 'invalid_argument' });
  await assert.rejects(room.images.tag('nope', 'a'), { code: 'not_found', message: 'No such image: nope:latest' });
});

test('Images.history() has the newest step first, sizes of its layers and the id of the image alone', async () => {
  const { room, two } = await open();
  await using _room = room;
  const [top, bottom, ...rest] = room.images.history(two);
  assert.deepEqual(
    [top?.id, top?.tags, top?.sizeBytes, bottom?.id, bottom?.tags, bottom?.sizeBytes, rest],
    [two, ['quay.io/team/two:latest'], 3, '<missing>', [], 4, []],
  );
});

test('Images.remove() takes the last name and the image with it, and leaves what others need', async () => {
  const { room, one, two } = await open();
  await using _room = room;
  const chain = room.images.inspect(two).chainIds;
  await room.images.tag('one:1', 'one:2');
  room.takeEvents();
  assert.deepEqual(await room.images.remove('one:2', { force: false, prune: true }), [{ untagged: 'one:2' }]);
  assert.deepEqual(await room.images.remove('quay.io/team/two', { force: false, prune: true }), [
    { untagged: 'quay.io/team/two:latest' },
    { deleted: two },
    { deleted: chain[1] },
  ]);
  assert.deepEqual(room.takeEvents(), [`untag ${one}`, `untag ${two}`, `delete ${two}`]);
  assert.deepEqual(await room.images.remove(one.slice(7, 19), { force: false, prune: true }), [
    { untagged: 'one:1' },
    { deleted: one },
    { deleted: chain[0] },
  ]);
  await room.images.prune({});
  assert.deepEqual(await room.left(), { blobs: 0, ingest: [], layers: 0, snapshots: 0 });
});

const container = 'ae636e0e8f5e'.padEnd(64, '0');

test("Images.remove() refuses in Docker's words what is used", async () => {
  const { room, one } = await open();
  await using _room = room;
  const short = one.slice(7, 19);
  const remove = (name: string, force = false) => room.images.remove(name, { force, prune: true });
  room.users.set(one, [{ id: container, running: false }]);
  await assert.rejects(remove('one:1'), {
    code: 'conflict',
    message: `conflict: unable to delete one:1 (must be forced) - container ae636e0e8f5e is using its referenced image ${short}`,
  });
  await assert.rejects(remove(one), {
    code: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container ae636e0e8f5e`,
  });
  room.users.set(one, [{ id: container, running: true }]);
  await assert.rejects(remove(one, true), {
    code: 'conflict',
    message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ae636e0e8f5e`,
  });
  room.users.delete(one);
  await room.images.tag('one:1', 'elsewhere/one');
  await assert.rejects(remove(one), {
    code: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  });
  assert.equal(room.images.inspect('one:1').id, one);
});

test('Images.remove() by force takes the name of an image that runs, and the image when nothing runs', async () => {
  const { room, one } = await open();
  await using _room = room;
  room.users.set(one, [{ id: container, running: true }]);
  assert.deepEqual(await room.images.remove('one:1', { force: true, prune: true }), [{ untagged: 'one:1' }]);
  assert.equal(room.images.inspect(one).id, one);
  room.users.set(one, [{ id: container, running: false }]);
  assert.deepEqual(await room.images.remove(one, { force: true, prune: true }), [{ deleted: one }]);
});

test('Images.prune() removes what has no name, or what nobody uses, and keeps what is used', async () => {
  const { room, one, two, none } = await open();
  await using _room = room;
  await assert.rejects(room.images.prune({ filters: { reference: ['x'] } }), { message: "invalid filter 'reference'" });
  assert.deepEqual((await room.images.prune({ filters: { until: ['1960-01-01'] } })).deleted, []);
  const dangling = await room.images.prune({});
  assert.deepEqual([dangling.deleted[0], dangling.deleted.length, dangling.spaceReclaimed], [{ deleted: none }, 2, 4]);
  room.users.set(one, [{ id: container, running: false }]);
  await room.images.tag('one:1', 'one:2');
  const all = await room.images.prune({ filters: { dangling: ['false'] } });
  assert.deepEqual(all.deleted.slice(0, 2), [{ untagged: 'quay.io/team/two:latest' }, { deleted: two }]);
  assert.deepEqual(room.images.inspect(one).repoTags, ['one:1', 'one:2']);
  assert.deepEqual(room.takeEvents().at(-1), 'prune');
});

test('Images.descendantsOf() is the image itself when nothing was built on it, and nothing for a stranger', async () => {
  const { room, one } = await open();
  await using _room = room;
  assert.deepEqual(room.images.descendantsOf('one:1'), new Set([one]));
  assert.deepEqual(room.images.descendantsOf('nope'), new Set());
});

function layer(text: string): Buffer {
  return Buffer.concat([entry(`${text}.txt`, text), endOfArchive]);
}
