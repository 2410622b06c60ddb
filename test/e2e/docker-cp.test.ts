import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { missingForCp, proveCp } from '../support/clients/docker-cp.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: missingForCp() });

const folder = mkdtempSync(join(tmpdir(), 'cp-'));
let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  mkdirSync(join(folder, 'cases'));
});
after(() => daemon[Symbol.asyncDispose]());

test('docker cp', { timeout: 300_000 }, (t) =>
  proveCp(new DockerApi(daemon.places.socketPath), join(folder, 'cases'), (name, work) => t.test(name, work)),
);
