import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
const steps = ['netns', 'ipam', 'veth', 'bridge.attach', 'port.listen'] as const;
process.env['GANTRY_FAILPOINTS'] = [
  ...steps.map((step) => `start.${step}=1*error(ENOSPC)`),
  'start.fw.rules=1*off->1*error(ENOSPC)->1*error(ENOSPC)',
].join(';');
const { linkNames, Machine, run } = await import('./machine.ts');
leakGuard();

const wishes = { hostConfig: { NetworkMode: 'shop', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } };

test('a setup() that fails at any step leaves nothing, and the next one works', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  for (const step of [...steps, 'fw.rules', 'fw.rules']) {
    await assert.rejects(machine.run('web', wishes), /failpoint start\./, step);
    assert.deepEqual(
      linkNames().filter((name) => name.startsWith('veth') && linkNames().includes(name) && isOnBridge(name)),
      [],
      step,
    );
    assert.deepEqual(existsSync(`${machine.execRoot}/netns`) ? readdirSync(`${machine.execRoot}/netns`) : [], [], step);
    assert.deepEqual(Object.keys(machine.room.inspect('shop').containers), [], step);
    assert.doesNotMatch(await run('', 'nft', 'list', 'ruleset'), /8080/, step);
  }
  const web = await machine.run('web', wishes);
  assert.match(web.address, /\.2$/, 'no address was lost');
});

function isOnBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/master`);
}
