import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerIpamPlugin } from '../support/plugins/docker-ipam-plugin.ts';
import { startDockerPlugin } from '../support/plugins/docker-plugin.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { slowness } from '../support/machine/slowness.ts';
import { expect, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** Three starts in a row, on a machine that may have other things to do. */
const start = (folder: string) => Daemon.start({ folder, startTimeoutMs: 60_000 * slowness });
const left = 'a pool may be left in the books of an IPAM plugin';
const create = (wished: readonly object[]) => ({ Name: 'crossed', IPAM: { Driver: 'books', Config: wished } });
const wish = [{ Subnet: '10.77.0.0/24' }];

/** What a plugin answers to `IpamDriver.RequestPool` it has written down before: the engine is killed in between, so that nobody knows the pool's id. */
for (const [what, { givesAgain, wished, given, told }] of [
  ['a wished prefix, of a plugin that gives it again', { givesAgain: true, wished: wish, given: [], told: undefined }],
  [
    'a wished prefix, of a plugin that gives it once',
    {
      givesAgain: false,
      wished: wish,
      given: ['10.77.0.0/24'],
      told: /request for 10\.77\.0\.0\/24 was lost with an earlier engine; plugin books: .*overlaps/,
    },
  ],
  [
    'a prefix of its own choice',
    { givesAgain: false, wished: [], given: ['10.1.0.0/24'], told: /"plugin":"books".*it was asked to choose one/ },
  ],
] as const)
  test(`an engine that dies while a Docker IPAM plugin gives it ${what}, gives back what it can and names what it cannot`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-'));
    const books = new DockerIpamPlugin({ givesAgain });
    let doomed: Daemon | undefined;
    const methods = {
      ...books.methods,
      'IpamDriver.RequestPool': async (...asked: Parameters<(typeof books.methods)[string]>) => {
        const answer = books.methods['IpamDriver.RequestPool']?.(...asked);
        await doomed?.kill('SIGKILL');
        return answer;
      },
    };
    await using _plugin = await startDockerPlugin('/run/docker/plugins/books.sock', ['IpamDriver'], methods);
    doomed = await start(folder);
    await assert.rejects(doomed.api.call('POST', '/networks/create', { json: create(wished) }));
    assert.equal(books.given.length, 1);
    doomed = undefined;
    let engine = await start(folder);
    t.after(() => engine[Symbol.asyncDispose]());
    await until(() => books.given.join() === given.join() && (told === undefined || engine.log.includes(left)));
    if (told !== undefined) assert.match(engine.log.split('\n').find((line) => line.includes(left)) ?? '', told);
    await expect(engine.api, 'GET', '/networks/crossed', { statuses: [404] });
    const another = create([{ Subnet: '10.78.0.0/24' }]);
    // What it asks comes after all that is given back.
    await expect(engine.api, 'POST', '/networks/create', { statuses: [201], json: another });
    await expect(engine.api, 'DELETE', '/networks/crossed', { statuses: [204] });
    await engine[Symbol.asyncDispose]();
    engine = await start(folder);
    await expect(engine.api, 'POST', '/networks/create', { statuses: [201], json: another });
    assert.equal(engine.log.split(left).length - 1, told === undefined ? 0 : 1, 'it is told once');
    await expect(engine.api, 'DELETE', '/networks/crossed', { statuses: [204] });
    assert.deepEqual(books.given, given);
  });
