import { before, test } from 'node:test';
import { execCases } from '../../sdk/exec/conformance.ts';
import { openOci } from '../support/exec-oci.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'host' });
before(async () => {
  // What stays once for all: the parent cgroup, libuv's one inotify descriptor, the test runner's own timer.
  await using subject = await openOci({ defaultRuntime: 'runc' });
  await subject.driver.runtimes({}, subject.ctx);
});
leakGuard({ settleMs: 4_000 });

for (const { name, run } of execCases) {
  test(`the OCI exec driver with runc passes exec.${name}`, async () => {
    await using subject = await openOci({ defaultRuntime: 'runc' });
    await run(subject);
  });
}
