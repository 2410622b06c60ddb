import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'later-'));
after(() => rmSync(folder, { recursive: true }));

test('a volume that its driver did not detach, since its plugin was down, is detached when the plugin is back', async () => {
  mkdirSync(join(folder, 'later'));
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['later'] }];
  writeFileSync(
    join(folder, 'later/gantry-plugin.json'),
    JSON.stringify({ manifestVersion: 1, name: 'later', version: '1.0.0', provides, entry: { node: 'main.mjs' } }),
  );
  writeFileSync(join(folder, 'later/main.mjs'), driver);
  await using under = await EngineUnderTest.open({ pluginDirs: [folder] });
  const { volumes, containers, plugins } = under.engine;
  await volumes.create({ name: 'vol', driver: 'later' });
  const id = await under.create('sleep 100', { hostConfig: { Binds: ['vol:/v'] } });
  await containers.start(id);
  await plugins.disable('later');
  await containers.remove(id, { force: true });
  assert.deepEqual(
    plugins.users('later').map(({ kind, name }) => `${kind} ${name}`),
    ['volume vol'],
  );
  await plugins.enable('later');
  const attached = async () =>
    (
      (await plugins.call({ kind: 'volume', driver: 'later', method: 'stat', request: { name: 'vol' }, dryRun: true })) as {
        volume: { status: object };
      }
    ).volume.status;
  for (let attempt = 0; Object.keys(await attached()).length > 1; attempt += 1) {
    assert.ok(attempt < 200, 'waited for 4 s in vain');
    await sleep(20);
  }
  await volumes.remove('vol', { force: false });
});

/** Keeps what is attached in the engine's store, and shows it as the volume's status. */
const driver = `
const driverOf = (state) => {
  const volume = async (name) => ({ volume: { name, scope: 'local', options: {}, status: { shown: 'yes', ...Object.fromEntries((await state.list('a/')).map(({ key }) => [key, 'attached'])) } } });
  return {
    create: ({ name }) => volume(name),
    remove: async () => {},
    stat: ({ name }) => volume(name),
    list: async function* () {},
    attach: async ({ attachmentId }) => {
      await state.put([{ key: 'a/' + attachmentId, value: '1' }]);
      return { attachment: { mounts: [{ type: 'tmpfs', source: { opaque: 'tmpfs' } }] } };
    },
    detach: ({ attachmentId }) => state.put([{ key: 'a/' + attachmentId, value: undefined }]),
  };
};
export default { activate: async ({ state }) => ({ drivers: { volume: { later: driverOf(state) } } }) };
`;
