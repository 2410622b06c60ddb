import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Privileges } from '@gantry/sdk';
import type { Privilege } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'upgrade-'));
let under: EngineUnderTest;
before(async () => (under = await EngineUnderTest.open()));
after(async () => {
  await under[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let count = 0;
/** A folder with the next version of a volume plugin that asks for this. */
function asking(name: string, privileges: Privileges): string {
  const path = join(folder, `v${(count += 1)}`);
  mkdirSync(path);
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: [name] }];
  const manifest = { manifestVersion: 1, name, version: `${count}.0.0`, provides, entry: { node: 'main.mjs' }, privileges };
  writeFileSync(join(path, 'gantry-plugin.json'), JSON.stringify(manifest));
  const driver = `{ async *list() { yield { name: String(process.getuid()), scope: 'local', options: {} }; } }`;
  writeFileSync(join(path, 'main.mjs'), `export default { activate: async () => ({ drivers: { volume: { ${name}: ${driver} } } }) };`);
  return path;
}
const privilege = (name: string, ...value: readonly string[]): Privilege => ({ name, description: '', value });

test('Plugins.upgrade() wants a yes for what is new, and none for what was granted or is no longer asked for', async () => {
  const { plugins } = under.engine;
  const upgrade = (source: string, ...grant: readonly Privilege[]) => plugins.upgrade('asks', { source, grant });
  const mounts = privilege('mount type', 'nfs4');
  await plugins.install({ source: asking('asks', { mountTypes: ['nfs4'], nftables: true }), grant: 'all', enable: true });
  const wider = asking('asks', { mountTypes: ['nfs4', 'cifs'] });
  const { change } = await plugins.offer(wider, { upgradeOf: 'asks' });
  assert.deepEqual(
    [change?.added.map(({ name, value }) => [name, value]), change?.dropped.map(({ name, value }) => [name, value])],
    [[['mount type', ['cifs']]], [['nftables', ['true']]]],
  );
  for (const grant of [[], [mounts], [privilege('mount type', 'cifs'), privilege('netns', 'true')]])
    await assert.rejects(upgrade(wider, ...grant), { code: 'invalid_argument', message: 'incorrect privileges' });
  await upgrade(wider, privilege('mount type', 'cifs'));
  await upgrade(asking('asks', { mountTypes: ['nfs4'] }));
  // As Docker's clients do, which know nothing of what was granted.
  await upgrade(asking('asks', { mountTypes: ['nfs4', 'cifs'] }), privilege('mount type', 'nfs4', 'cifs'));
  assert.deepEqual(
    plugins.inspect('asks').privileges.map(({ name, value }) => [name, value]),
    [['mount type', ['nfs4', 'cifs']]],
  );
  assert.equal((await plugins.offer(wider)).change, undefined);
  await assert.rejects(plugins.offer(wider, { upgradeOf: 'nobody' }), { code: 'not_found' });
});

test('Plugins.upgrade() to a version that no longer asks for user 0 runs it as its own user, and rollback as 0 again', async () => {
  const { plugins } = under.engine;
  const userOf = async () => {
    const [answer] = (await plugins.call({ kind: 'volume', driver: 'rooted', method: 'list', request: {}, dryRun: true })) as {
      name: string;
    }[];
    assert.match(readFileSync(`/proc/${plugins.inspect('rooted').pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${answer?.name}\\t`, 'm'));
    return Number(answer?.name);
  };
  await plugins.install({ source: asking('rooted', { user: 'root' }), grant: 'all', enable: true });
  assert.equal(await userOf(), 0);
  await plugins.upgrade('rooted', { source: asking('rooted', {}), grant: [] });
  assert.ok((await userOf()) >= 1_900_000_000);
  await plugins.rollback('rooted');
  assert.equal(await userOf(), 0);
});
