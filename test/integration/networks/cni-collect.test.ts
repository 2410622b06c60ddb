import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { cniFolders, Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = cniFolders[1] ?? '';
const leases = join(folder, 'kept');

before(() => {
  mkdirSync(folder, { recursive: true });
  const program = join(import.meta.dirname, '../../support/machine/cni-leases.mjs');
  writeFileSync(join(folder, 'leases'), `#!/bin/sh\nexec ${process.execPath} ${program}\n`);
  chmodSync(join(folder, 'leases'), 0o755);
});
beforeEach(() => mkdirSync(leases, { recursive: true }));
afterEach(() => rmSync(leases, { recursive: true }));

const list = { cniVersion: '1.1.0', name: 'lan', plugins: [{ type: 'leases', leases }] };
const create = (machine: Machine, changes: object = {}, name = 'lan') =>
  machine.room.create({ name, driver: 'cni', options: { config: JSON.stringify({ ...list, ...changes }) } });
const onLan = { hostConfig: { NetworkMode: 'lan' } };
const given = (): readonly string[] => readdirSync(leases).filter((name) => name.startsWith('10.'));
const stray = (): void => writeFileSync(join(leases, '10.91.0.77'), 'dead eth0');
const put = (name: string): void => writeFileSync(join(leases, name), '');
const take = (name: string): void => rmSync(join(leases, name));
const calls = (): readonly string[] => readFileSync(join(leases, 'calls'), 'utf8').trimEnd().split('\n');
const told = (machine: Machine, text: string): readonly string[] => machine.logged.filter((line) => line.includes(text));

/** The engine is killed, and comes again with these containers running. */
async function restart(machine: Machine, running: readonly { readonly id: string }[]): Promise<void> {
  await machine.restart();
  for (const { id } of running) await machine.room.adopt(machine.containers.get(id) ?? assert.fail(id));
  await machine.room.sweep(new Set(running.map(({ id }) => id)));
}

test('after a start of the engine CNI plugins of 1.1.0 give up what nobody has, by GC, and keep what containers have', async () => {
  await using machine = await Machine.start();
  await create(machine);
  await create(machine, {}, 'same-name');
  const web = await machine.run('web', onLan);
  const other = await machine.run('other', { hostConfig: { NetworkMode: 'same-name' } });
  stray();
  await restart(machine, [web, other]);
  await machine.room.collected;
  assert.deepEqual(given().toSorted(), [web.address, other.address].toSorted());
  assert.ok(calls().includes('GC '));
  stray();
  await web.stop();
  machine.containers.delete(web.id);
  await machine.room.remove('lan');
  assert.deepEqual(given(), [other.address], 'a network that is removed leaves nothing, and takes nothing of others of its name');
});

for (const [what, changes] of [
  ['a list of an older version', { cniVersion: '1.0.0' }],
  ['a list with disableGC', { disableGC: true }],
] as const)
  test(`CNI plugins of ${what} are not told to collect`, async () => {
    await using machine = await Machine.start();
    await create(machine, changes);
    stray();
    await restart(machine, []);
    await machine.room.collected;
    await machine.room.remove('lan');
    assert.deepEqual(given(), ['10.91.0.77']);
    assert.ok(!existsSync(join(leases, 'calls')) || !calls().includes('GC '));
  });

for (const cniVersion of ['1.0.0', '1.1.0'])
  test(`what a CNI plugin of ${cniVersion} did not take back it is asked for again: after a start of the engine, and before the container is added again`, async () => {
    await using machine = await Machine.start();
    await create(machine, { cniVersion, disableGC: true });
    const [web, gone] = [await machine.run('web', onLan), await machine.run('gone', onLan)];
    put('broken');
    await web.stop();
    await gone.stop();
    machine.containers.delete(gone.id);
    assert.equal(given().length, 2);
    assert.match(told(machine, 'could not remove its link')[0] ?? '', /CNI plugin leases failed to DEL: the books cannot be written/);
    await assert.rejects(web.start(), { code: 'unavailable', message: /leases failed to ADD: .* has an address already$/ });
    take('broken');
    await web.start();
    assert.equal(given().length, 2, 'its last one was given up first');
    await restart(machine, [web]);
    await machine.room.collected;
    assert.deepEqual(given(), [web.address]);
    await restart(machine, [web]);
    await machine.room.collected;
    assert.deepEqual(given(), [web.address], 'nothing is asked for that is there again');
  });

test('a container that comes while CNI plugins collect waits for them, and loses nothing', async () => {
  await using machine = await Machine.start();
  await create(machine);
  stray();
  put('slow');
  await restart(machine, []);
  const late = await machine.run('late', onLan);
  await machine.room.collected;
  assert.deepEqual(given(), [late.address]);
  const [gc, add] = [calls().indexOf('GC '), calls().indexOf(`ADD ${late.id}`)];
  assert.ok(gc >= 0 && gc < add, `GC at ${gc}, ADD at ${add}`);
  take('slow');
});

test('a CNI plugin that is not ready says so when its network is made, in the log at the start, and to whoever starts a container', async () => {
  await using machine = await Machine.start();
  put('closed');
  const why = 'network lan: CNI plugin leases failed to STATUS: the books are closed';
  assert.equal((await create(machine)).warning, why);
  await assert.rejects(machine.run('web', onLan), {
    code: 'unavailable',
    message: 'CNI plugin leases failed to ADD: the books are closed',
  });
  await restart(machine, []);
  await machine.room.collected;
  assert.match(told(machine, 'a network takes no containers now')[0] ?? '', /failed to STATUS: the books are closed/);
  take('closed');
  await machine.run('web', onLan);
  assert.equal((await create(machine, {}, 'other')).warning, '');
});
