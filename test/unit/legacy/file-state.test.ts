import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FileState } from '../../../sdk/legacy/file-state.ts';

const root = mkdtempSync(join(tmpdir(), 'file-state-'));
after(() => rmSync(root, { recursive: true }));
let files = 0;
const fresh = (): string => join(root, `${(files += 1)}.json`);

test('FileState keeps what was put, with revisions, for whoever opens the file next', async () => {
  const path = fresh();
  const state = FileState.open(path);
  await state.put([
    { key: 'a/1', value: 'one' },
    { key: 'b', value: 'two' },
  ]);
  await state.put([{ key: 'a/1', value: 'again', expectedRevision: 1 }]);
  await state.put([{ key: 'b', value: undefined }]);
  const again = FileState.open(path);
  assert.deepEqual(await again.list(''), [{ key: 'a/1', value: 'again', revision: 2 }]);
  assert.equal(await again.get('b'), undefined);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('FileState refuses a write whose expectation is not met, whole', async () => {
  const state = FileState.open(fresh());
  await state.put([{ key: 'a', value: '1' }]);
  const writes = [
    { key: 'b', value: '1' },
    { key: 'a', value: '2', expectedRevision: 0 },
  ];
  await assert.rejects(state.put(writes), { code: 'conflict', message: 'state a is at revision 1, not 0' });
  assert.deepEqual(
    (await state.list('')).map(({ key }) => key),
    ['a'],
  );
});

test('FileState puts writes that come at once into few files, and loses none of them', async () => {
  const path = fresh();
  const state = FileState.open(path);
  await Promise.all(Array.from({ length: 200 }, (_, index) => state.put([{ key: `${index}`, value: 'x' }])));
  assert.equal((await FileState.open(path).list('')).length, 200);
});

test('FileState writes what is put while it is about to rest', async () => {
  const state = FileState.open(fresh());
  for (let round = 0; round < 100; round += 1) {
    const first = state.put([{ key: 'a', value: `${round}` }]);
    // At every step between the end of one write and its being noticed.
    const later = first.then(async () => {
      for (let step = 0; step < round % 5; step += 1) await Promise.resolve();
      await state.put([{ key: 'b', value: `${round}` }]);
    });
    await Promise.all([first, later]);
  }
  assert.equal((await state.get('b'))?.value, '99');
});

test('FileState leaves everything as it was when the file cannot be written', async () => {
  const path = join(root, 'no-such-folder', 'state.json');
  const state = FileState.open(path);
  await assert.rejects(state.put([{ key: 'a', value: '1' }]), { code: 'not_found', message: /write .*state\.json/ });
  assert.deepEqual(await state.list(''), []);
});

test('FileState has the limits of the engine', async () => {
  const state = FileState.open(fresh());
  await assert.rejects(state.put([{ key: '', value: 'x' }]), { code: 'invalid_argument' });
  await assert.rejects(state.put([{ key: 'k'.repeat(257), value: 'x' }]), { code: 'invalid_argument' });
  await assert.rejects(state.put([{ key: 'k', value: 'v'.repeat(65_537) }]), { code: 'invalid_argument' });
});

for (const damaged of ['', '{', '{"version":2,"entries":[]}', '[]', 'null']) {
  test(`FileState does not begin anew over a damaged file: ${JSON.stringify(damaged)}`, () => {
    const path = fresh();
    writeFileSync(path, damaged);
    assert.throws(() => FileState.open(path), { code: 'data_loss' });
    assert.equal(readFileSync(path, 'utf8'), damaged);
  });
}
