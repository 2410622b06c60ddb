import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { missingForCp, proveCp } from '../support/clients/docker-cp.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const lacking = missingForCp() ?? prepareDockerd();
inNamespaces(import.meta.url, { cgroups: 'v1', missing: lacking === undefined ? undefined : `needs dockerd (${lacking})` });

// The cases of docker-cp.test.ts say what Docker does: here it is asked.
const folder = mkdtempSync(join(tmpdir(), 'dockerd-cp-'));
let house: DockerdHouse;
let dockerd: Daemon;
before(async () => {
  house = await DockerdHouse.open();
  dockerd = await house.start({ folder: join(folder, 'engine') });
  await dockerd.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  mkdirSync(join(folder, 'cases'));
});
after(async () => {
  await dockerd[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

test("docker cp at Docker's own daemon", { timeout: 300_000 }, (t) =>
  proveCp(new DockerApi(dockerd.places.socketPath), join(folder, 'cases'), (name, work) => t.test(name, work)),
);
