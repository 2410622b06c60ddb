import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { syncfs } from '../linux/index.ts';
import { change, layer, list, prepare, show } from './conformance-steps.ts';
import { cannotMount, cases, type GraphCase, type GraphUnderTest } from './conformance-subject.ts';

/** What is there after somebody died: the driver's process, or the machine. */
export const crashes: readonly GraphCase[] = [
  ...cases(
    {
      'commit.atomic-under-kill9': async (subject) => {
        let current = subject;
        for (let round = 0; round < 6; round++) {
          const [key, name] = [`work${round}`, `done${round}`];
          await prepare(current, key, []);
          await change(current, { key, chain: [] }, (root) => writeFileSync(join(root, 'file'), key));
          const committing = current.driver.commit({ key, name, chain: [] }, current.ctx).then(
            () => true,
            () => false,
          );
          await sleep(round / 2);
          subject.kill?.();
          const wasAcknowledged = await committing;
          current = { ...subject, driver: await subject.restart() };
          const found = (await list(current.driver, current.ctx)).filter((snapshot) => [key, name].includes(snapshot.key));
          const [only, ...others] = found;
          assert.ok(only !== undefined && others.length === 0, `after the kill there are ${JSON.stringify(found)}`);
          if (wasAcknowledged) assert.deepEqual(only, { key: name, committed: true });
          await current.driver.commit({ key, name, chain: [] }, current.ctx);
          await using tree = await show(current, { key: name, chain: [], readOnly: true });
          assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), key);
        }
      },
    },
    (subject) => cannotMount(subject) ?? (subject.kill === undefined ? 'has no process of its own here' : undefined),
  ),
  ...cases(
    {
      'powerfail.fsync-order': async (subject) => {
        await layer(subject, 'before', [], (root) => writeFileSync(join(root, 'file'), 'before'));
        await prepare(subject, 'work', ['before']);
        await change(subject, { key: 'work', chain: ['before'] }, (root) => writeFileSync(join(root, 'file'), 'work'));
        sync(subject);
        await subject.driver.commit({ key: 'work', name: 'done', chain: ['before'] }, subject.ctx);
        await prepare(subject, 'unfinished', ['done', 'before']);
        const driver = (await subject.cutPower?.()) ?? assert.fail();
        const found = await list(driver, subject.ctx);
        assert.deepEqual(
          found.filter(({ key }) => key !== 'unfinished'),
          [
            { key: 'before', committed: true },
            { key: 'done', committed: true },
          ],
        );
        assert.ok(found.every(({ key, committed }) => key !== 'unfinished' || !committed));
        const after = { ...subject, driver };
        await using tree = await show(after, { key: 'done', chain: ['before'], readOnly: true });
        assert.equal(readFileSync(join(tree.path, 'file'), 'utf8'), 'work');
      },
    },
    (subject) => cannotMount(subject) ?? (subject.cutPower === undefined ? 'no disk here can lose its power' : undefined),
  ),
];

/** As the engine does before a commit. */
function sync({ dataDir }: GraphUnderTest): void {
  const folder = openSync(dataDir, 'r');
  try {
    syncfs(folder);
  } finally {
    closeSync(folder);
  }
}
