import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { containerCases } from '../support/clients/docker-commands/containers.ts';
import { imageCases } from '../support/clients/docker-commands/images.ts';
import { commandNames } from '../support/clients/docker-commands/names.ts';
import { objectCases } from '../support/clients/docker-commands/objects.ts';
import { outOfScope } from '../support/clients/docker-commands/out-of-scope.ts';
import { pluginCases } from '../support/clients/docker-commands/plugins.ts';
import { systemCases } from '../support/clients/docker-commands/system.ts';
import type { Case } from '../support/clients/docker-commands/world.ts';
import { World } from '../support/clients/docker-commands/world.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const without = ['docker', 'docker-registry'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
inNamespaces(import.meta.url, { missing: without === undefined ? undefined : `needs ${without}` });

const folder = mkdtempSync(join(tmpdir(), 'commands-'));
const shown = commandNames();
const cases = new Map<string, Case>();
for (const [names, work] of Object.entries({ ...containerCases, ...imageCases, ...objectCases, ...pluginCases, ...systemCases }))
  for (const name of names.split(', ')) cases.set(name, work);

let daemon: Daemon;
let registry: Awaited<ReturnType<typeof dockerRegistry>>;
let world: World;
before(async () => {
  registry = await dockerRegistry(join(folder, 'registry'));
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  mkdirSync(join(folder, 'cases'));
  world = new World({ api: new DockerApi(daemon.places.socketPath), registry: registry.host, folder: join(folder, 'cases') });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});
afterEach(() => world.tidy());

test('every command that the help of the docker CLI names is run here, or is out of scope for a reason', () => {
  assert.ok(shown.length > 100, shown.join(', '));
  const [done, left] = [new Set(cases.keys()), new Set(Object.keys(outOfScope))];
  assert.deepEqual(
    shown.filter((name) => !done.has(name) && !left.has(name)),
    [],
    'neither',
  );
  assert.deepEqual(
    [...done].filter((name) => left.has(name)),
    [],
    'both',
  );
});

for (const [name, work] of cases) {
  const skip = shown.includes(name) ? false : 'this docker CLI has no such command';
  test(`docker ${name}`, { timeout: 120_000, skip }, () => work(world, name.split(' ')));
}

for (const [name, { because, words = [], input = '', first, says }] of Object.entries(outOfScope)) {
  if (says === undefined || !shown.includes(name)) continue;
  test(`docker ${name} says that it is out of scope: ${because}`, { timeout: 60_000 }, async () => {
    if (first !== undefined) await world.docker(...first);
    const { code, stderr } = await world.both([...name.split(' '), ...words], { input });
    assert.notEqual(code, 0);
    assert.match(stderr, says);
  });
}
