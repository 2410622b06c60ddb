import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/busybox.ts';
import { Daemon } from '../support/daemon.ts';
import { DockerApi } from '../support/docker-api.ts';
import { missingForCp, proveCp } from '../support/docker-cp.ts';
import { inNamespaces } from '../support/namespaces.ts';

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
