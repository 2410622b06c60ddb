import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import cases from '../support/clients/api-golden.json' with { type: 'json' };
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

interface Case {
  readonly case: string;
  readonly request: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** What Docker says; with "…" at the end only how it begins. */
  readonly message?: string;
}

const patienceMs = 5_000;
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'golden-')) });
  api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
  await api.json('POST /containers/create?name=okc', { body: { Image: 'busybox', Cmd: ['true'] } });
});
after(() => daemon[Symbol.asyncDispose]());

for (const { case: name, request, body, headers = {}, status, message } of cases as readonly Case[]) {
  test(`golden: ${name} is answered ${status}`, { timeout: patienceMs }, async () => {
    const reply = await api.request(request, { body, headers });
    assert.equal(reply.status, status, reply.text);
    if (message === undefined) return;
    const said =
      reply.headers['content-type'] === 'application/json' ? (JSON.parse(reply.text) as { message: string }).message : reply.text;
    if (message.endsWith('…')) assert.ok(said.startsWith(message.slice(0, -1)), said);
    else assert.equal(said, message);
  });
}
