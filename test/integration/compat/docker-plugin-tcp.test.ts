import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { DockerPluginHost } from '../../support/plugins/docker-plugin-host.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

const answer: RequestListener = (request, response) => {
  request.resume();
  const volume = { Name: 'v1', Status: { path: request.url, host: request.headers.host } };
  response.end(JSON.stringify(request.url?.endsWith('Plugin.Activate') === true ? { Implements: ['VolumeDriver'] } : { Volume: volume }));
};

test('a Docker plugin may listen on tcp, below a path, as its spec file says', async () => {
  await using host = new DockerPluginHost();
  await using server = await listening(createServer(answer));
  writeFileSync(join(host.root, 'specs', 'far.json'), JSON.stringify({ Addr: `http://127.0.0.1:${server.port}/deep` }));
  const { volume } = await (await host.driver('volume', 'far')).stat({ name: 'v1' }, ctx);
  assert.deepEqual(volume.status, { path: '/deep/VolumeDriver.Get', host: `127.0.0.1:${server.port}` });
});

test('a Docker plugin on TLS is believed by the authority that its json file names, both ways, and by no other', async () => {
  await using host = new DockerPluginHost();
  const at = (name: string): string => join(host.root, name);
  const make =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=plugin -addext subjectAltName=IP:127.0.0.1';
  for (const name of ['server', 'client', 'other']) {
    execFileSync('openssl', [...make.split(' '), '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)], { stdio: 'ignore' });
  }
  const [key, cert, ca] = [readFileSync(at('server.key')), readFileSync(at('server.pem')), readFileSync(at('client.pem'))];
  await using server = await listening(createTlsServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, answer));
  const client = { CertFile: at('client.pem'), KeyFile: at('client.key') };
  const configs = {
    good: { ...client, CAFile: at('server.pem') },
    insecure: { ...client, InsecureSkipVerify: true },
    stranger: { ...client, CAFile: at('other.pem') },
    nobody: { CAFile: at('server.pem') },
    unreadable: { CAFile: at('missing.pem') },
  };
  for (const [name, TLSConfig] of Object.entries(configs)) {
    writeFileSync(join(host.root, 'specs', `${name}.json`), JSON.stringify({ Addr: `tcp://127.0.0.1:${server.port}`, TLSConfig }));
  }
  for (const name of ['good', 'insecure']) assert.ok(await host.find('volume', name), name);
  for (const name of ['stranger', 'nobody']) await assert.rejects(host.find('volume', name), { code: 'unavailable' }, name);
  await assert.rejects(host.find('volume', 'unreadable'), { code: 'not_found', message: /missing\.pem/ });
});

async function listening(server: Server & { closeAllConnections(): void }): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
