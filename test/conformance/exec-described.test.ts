import { join } from 'node:path';
import { before } from 'node:test';
import { conformance } from '@gantry/sdk/conformance';
import { realWorld } from '../support/plugins/conformance-world.ts';
import { openOci } from '../support/plugins/exec-oci.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const examples = join(import.meta.dirname, '../examples');
before(async () => {
  // What stays once for all: the parent cgroup, libuv's one inotify descriptor.
  await using subject = await openOci();
  await subject.driver.runtimes({}, subject.ctx);
});
leakGuard();

conformance(join(examples, 'crun-runtime'), { world: realWorld });
conformance(join(examples, 'crun-runtime'), {
  world: realWorld,
  placements: ['process'],
  only: ['plugin.*', 'exec.describe.*', 'exec.restart.*'],
});
conformance(join(examples, 'interpreter'), { world: realWorld, only: ['plugin.*', 'exec.describe.*'] });
