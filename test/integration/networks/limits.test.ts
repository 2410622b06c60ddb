import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Machine, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const on = (NetworkMode: string) => ({ hostConfig: { NetworkMode } });

test('a bridge with 1,023 ports takes no more containers, and says so by name; nothing stays of the one that did not fit', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'full', options: { 'com.docker.network.bridge.name': 'br-full' } });
  const first = await machine.run('first', on('full'));
  const pairs = Array.from({ length: 511 }, (_, index) => index);
  await batch(
    machine,
    pairs.map((index) => `link add a${index} group 7 master br-full type veth peer name b${index}`),
  );
  await batch(
    machine,
    pairs.map((index) => `link set b${index} group 7 master br-full`),
  );
  await assert.rejects(machine.run('late', on('full')), {
    code: 'exhausted',
    message: 'bridge br-full is full: it takes 1,023 containers',
  });
  assert.deepEqual(Object.keys(machine.room.inspect('full').containers), [first.id]);
  assert.equal(await run('', 'ip', 'link', 'delete', 'group', '7'), '');
  const next = await machine.run('next', on('full'));
  await next.serve(80);
  assert.equal(await first.reach(next.address, 80), `next to ${first.address}`);
});

test('a thousand containers on two bridges have an address and a name each, and only those of their own network', async () => {
  const each = 500;
  await using machine = await Machine.start();
  for (const name of ['red', 'blue']) await machine.room.create({ name });
  for (let index = 0; index < each; index += 1) for (const name of ['red', 'blue']) await machine.run(`${name}${index}`, on(name));
  for (const name of ['red', 'blue']) {
    const containers = Object.values(machine.room.inspect(name).containers);
    assert.equal(new Set(containers.map(({ ipv4 }) => ipv4)).size, each);
    assert.ok(containers.every((container) => container.name.startsWith(name)));
  }
  const [, last] = [...machine.containers.values()].slice(-2);
  const first = [...machine.containers.values()][1];
  await last?.serve(80);
  assert.equal(await first?.reach(last?.address ?? '', 80), `blue${each - 1} to ${first?.address}`);
  assert.match((await first?.run('busybox', 'nslookup', `blue${each - 1}`, '127.0.0.11')) ?? '', new RegExp(`${last?.address}\\b`));
  assert.doesNotMatch((await first?.run('busybox', 'nslookup', 'red3', '127.0.0.11')) ?? '', /Address.*172\.18/);
});

async function batch({ folder }: Machine, commands: readonly string[]): Promise<void> {
  const file = join(folder, 'commands');
  writeFileSync(file, commands.map((command) => `${command}\n`).join(''));
  assert.equal(await run('', 'ip', '-batch', file), '');
}
