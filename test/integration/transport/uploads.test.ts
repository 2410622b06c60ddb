import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { driverContext, guard } from '../../../core/drivers/index.ts';
import { methodsOf } from '../../../core/drivers/methods.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { dockerRegistry } from '../../support/servers/docker-registry.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { inTurn, type Reply, reply, scriptedRegistry, sha256 } from '../../support/servers/scripted-registry.ts';

inNamespaces(import.meta.url);
leakGuard();

const context = driverContext(quietLog);
const blob = Buffer.from('0123456789'.repeat(1000));
const digest = sha256(blob);
const begins = 'POST /v2/acme/app/blobs/uploads/';
const begun = reply(202, '', { location: '/u' });
const breaks: Reply = (_request, response) => void response.destroy();

/** Uploads in pieces; answers how often the bytes were read, and what the driver said. */
async function upload(host: string, { bytes = blob, mountFrom }: { readonly bytes?: Buffer; readonly mountFrom?: string } = {}) {
  using driver = new RegistryDriver(settingsOf({ answerTimeoutMs: 2000, attempts: 3, retryDelayMs: 1 }));
  let reads = 0;
  const content = async function* () {
    reads += 1;
    for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
  };
  const checked = guard(driver, methodsOf.transport, { label: 'transport driver registry' });
  const place = { host, repository: 'acme/app' };
  const said = await checked.upload({ ...place, digest: sha256(bytes), size: bytes.length, content, mountFrom }, context);
  return { reads, said };
}

/** Keeps what comes, and says how each PUT announced itself. */
function keeper(): { readonly got: Buffer[]; readonly ranges: (string | undefined)[]; readonly reply: Reply } {
  const got: Buffer[] = [];
  const ranges: (string | undefined)[] = [];
  const keep: Reply = (request, response, body) => {
    got.push(body);
    ranges.push(request.headers['content-range']);
    reply(201)(request, response, body);
  };
  return { got, ranges, reply: keep };
}

test('an upload that breaks off goes on after what the registry kept', async () => {
  const { got, ranges, reply: keep } = keeper();
  await using registry = await scriptedRegistry({
    [begins]: begun,
    'PUT /u': inTurn(breaks, keep),
    'GET /u': reply(204, '', { range: '0-3999', location: '/u?again' }),
  });
  assert.equal((await upload(registry.host)).reads, 2);
  assert.deepEqual([got[0]?.equals(blob.subarray(4000)), ranges], [true, ['4000-9999']]);
  assert.equal(registry.asked.filter((line) => line.startsWith('POST')).length, 1);
});

test('one of which the registry has everything is only ended', async () => {
  const { got, ranges, reply: keep } = keeper();
  await using registry = await scriptedRegistry({
    [begins]: begun,
    'PUT /u': inTurn(breaks, keep),
    'GET /u': reply(204, '', { range: 'bytes=0-9999' }),
  });
  await upload(registry.host);
  assert.deepEqual([got[0]?.length, ranges], [0, [undefined]]);
});

for (const [what, status] of [
  ['forgot it', reply(404)],
  ['says nonsense of it', reply(204, '', { range: '0-99999999' })],
] as const) {
  test(`a registry that ${what} gets the whole blob again`, async () => {
    const { got, ranges, reply: keep } = keeper();
    await using registry = await scriptedRegistry({ [begins]: begun, 'PUT /u': inTurn(breaks, keep), 'GET /u': status });
    await upload(registry.host);
    assert.deepEqual([got[0]?.equals(blob), ranges], [true, [undefined]]);
    assert.equal(registry.asked.filter((line) => line.startsWith('POST')).length, 2);
  });
}

for (const status of [404, 416]) {
  test(`an upload that the registry answers ${status} to begins anew`, async () => {
    const { got, reply: keep } = keeper();
    await using registry = await scriptedRegistry({ [begins]: begun, 'PUT /u': inTurn(reply(status), keep) });
    await upload(registry.host);
    assert.ok(got[0]?.equals(blob));
    assert.deepEqual(
      registry.asked.map((line) => line.slice(0, 4)),
      ['POST', 'PUT ', 'POST', 'PUT '],
    );
  });
}

test('an upload that breaks off again and again fails in the end, and a refusal at once', async () => {
  await using breaking = await scriptedRegistry({ [begins]: begun, 'PUT /u': breaks, 'GET /u': reply(404) });
  await assert.rejects(upload(breaking.host), (error: Error) => codeOf(error) === 'unavailable');
  assert.equal(breaking.asked.filter((line) => line.startsWith('PUT')).length, 3);
  await using refusing = await scriptedRegistry({ [begins]: begun, 'PUT /u': reply(403) });
  await assert.rejects(upload(refusing.host), (error: Error) => codeOf(error) === 'forbidden');
  assert.equal(refusing.asked.filter((line) => line.startsWith('PUT')).length, 1);
});

test('what another repository has is taken from there, and nothing is sent', async () => {
  await using registry = await scriptedRegistry({ [begins]: reply(201, '', { location: '/v2/acme/app/blobs/x' }) });
  assert.deepEqual(await upload(registry.host, { mountFrom: 'acme/base' }), { reads: 0, said: { mountedFrom: 'acme/base' } });
  assert.deepEqual(registry.asked, [`POST /v2/acme/app/blobs/uploads/?mount=${digest.replace(':', '%3A')}&from=acme%2Fbase`]);
});

test('a registry that does not mount gets the blob, and the token asked for names both repositories', async () => {
  const { got, reply: keep } = keeper();
  const tokens: string[] = [];
  const challenge = (host: string): Readonly<Record<string, string>> => ({
    'www-authenticate': `Bearer realm="http://${host}/token",service="s",scope="repository:acme/app:pull,push"`,
  });
  await using registry = await scriptedRegistry({
    [begins]: (request, response, body) =>
      request.headers.authorization === undefined
        ? reply(401, '', challenge(String(request.headers.host)))(request, response, body)
        : begun(request, response, body),
    'GET /token': (request, response, body) => {
      tokens.push(...new URL(`http://x${request.url}`).searchParams.getAll('scope'));
      reply(200, { token: 'abc' })(request, response, body);
    },
    'PUT /u': keep,
  });
  assert.deepEqual((await upload(registry.host, { mountFrom: 'acme/base' })).said, {});
  assert.ok(got[0]?.equals(blob));
  assert.deepEqual(tokens, ['repository:acme/app:pull,push', 'repository:acme/base:pull']);
});

test('a name that is no repository is not asked for', async () => {
  await assert.rejects(upload('127.0.0.1:1', { mountFrom: '../x' }), (error: Error) => codeOf(error) === 'invalid_argument');
});

test('docker-registry takes up an upload whose connection was cut', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  try {
    await using registry = await dockerRegistry(folder);
    await using cutting = await cuttingProxy(registry.host, 3 * 2 ** 20);
    const bytes = Buffer.alloc(8 * 2 ** 20, 'some bytes ');
    assert.equal((await upload(cutting.host, { bytes })).reads, 2);
    const found = await fetch(`http://${registry.host}/v2/acme/app/blobs/${sha256(bytes)}`);
    assert.ok(Buffer.from(await found.arrayBuffer()).equals(bytes));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Forwards to a registry; the first connection that carries more than so many bytes is cut, and no other. */
async function cuttingProxy(to: string, maxBytes: number): Promise<{ readonly host: string } & AsyncDisposable> {
  const [hostname = '', port = ''] = to.split(':');
  const open = new Set<{ destroy(): unknown }>();
  let isCut = false;
  const server = createServer((client) => {
    const registry = connect(Number(port), hostname);
    let carried = 0;
    const end = (): void => {
      client.destroy();
      registry.destroy();
    };
    for (const socket of [client, registry]) {
      open.add(socket);
      socket.on('error', end).on('close', () => (end(), open.delete(socket)));
    }
    client.on('data', (chunk) => {
      carried += chunk.length;
      registry.write(chunk);
      if (carried > maxBytes && !isCut) {
        isCut = true;
        end();
      }
    });
    registry.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
