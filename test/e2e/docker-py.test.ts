import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { dockerPython, runClient } from '../support/clients/clients.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const python = dockerPython();
inNamespaces(import.meta.url, { missing: python === undefined ? 'needs python3-docker' : undefined });

const script = join(import.meta.dirname, '../support/clients/docker_py.py');
const folder = mkdtempSync(join(tmpdir(), 'py-'));
let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder });
  const { archive } = busyboxImage();
  await new DockerApi(daemon.places.socketPath).request('POST /images/load', {
    body: archive,
    headers: { 'Content-Type': 'application/x-tar' },
  });
});
after(() => daemon[Symbol.asyncDispose]());

for (const step of ['runs', 'lives', 'archives', 'images', 'volumes_and_networks', 'ports', 'streams', 'system']) {
  test(`the docker module of Python: ${step.replaceAll('_', ' ')}`, { timeout: 120_000 }, async () => {
    const { environment } = new DockerApi(daemon.places.socketPath);
    const { code, stdout, stderr } = await runClient([python ?? '', script, step], { cwd: folder, env: environment });
    assert.deepEqual([code, stdout], [0, `passed ${step}\n`], `${stderr}\n${daemon.log.slice(-2000)}`);
  });
}
