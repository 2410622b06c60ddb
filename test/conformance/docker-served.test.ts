import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { ipamCases } from '../../sdk/ipam/conformance.ts';
import { type LogAbility, logCases } from '../../sdk/log/conformance.ts';
import { volumeCases, type VolumeUnderTest } from '../../sdk/volume/conformance.ts';
import { mountBound } from '../support/machine/bound-volume.ts';
import { DockerPluginHost } from '../support/plugins/docker-plugin-host.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { loggedInfo, logContext } from '../support/plugins/log-subject.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { quietLog } from '../support/machine/quiet-log.ts';
import { everyKind, serveForDocker } from '../support/plugins/served-for-docker.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const shipped = (name: string): string => join(import.meta.dirname, '../../plugins', name);

/** A driver of ours, served by Docker's protocol, behind the adapter that uses such plugins. A restart starts both sides anew. */
async function there<Kind extends 'volume' | 'log' | 'ipam'>(dir: string, kind: Kind) {
  await using undo = new AsyncDisposableStack();
  const host = undo.use(new DockerPluginHost());
  const start = () => serveForDocker({ dir, socketPath: host.socket('ours'), root: join(host.root, 'ours') });
  let serving = await start();
  undo.defer(() => serving[Symbol.asyncDispose]());
  const restart = async () => {
    await serving[Symbol.asyncDispose]();
    await host.restart();
    serving = await start();
    return host.driver(kind, 'ours');
  };
  const driver = await host.driver(kind, 'ours');
  const whole = undo.move();
  return { host, driver, restart, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

const volumes = {
  'local, a folder': { dir: shipped('volume/local'), options: {} },
  'local, mounted': { dir: shipped('volume/local'), options: { good: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' } } },
  'an overlay': { dir: everyKind, options: { good: { kind: 'layers' } } },
} as const;
/** What Docker's protocol has no words for: a removal by force. Of a tmpfs the data goes with its last use. */
const unsaid = new Set(['remove.force']);
for (const [what, { dir, options }] of Object.entries(volumes)) {
  for (const { name, skip, run } of volumeCases.filter((each) => !unsaid.has(each.name))) {
    test(`a volume (${what}) served by Docker's protocol passes volume.${name}`, async (context) => {
      await using served = await there(dir, 'volume');
      const subject: VolumeUnderTest = { ...served, ctx, options, mount: mountBound };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      else context.skip(reason);
    });
  }
}

const abilities = new Set<LogAbility>(['read', 'attributes']);
/** Options cannot be checked by the protocol before a stream begins. */
const cases = logCases.filter(({ name, needs }) => name !== 'open.unknown-option' && needs.every((need) => abilities.has(need)));
for (const { name, run } of cases) {
  test(`a log (json-file) served by Docker's protocol passes log.${name}`, async () => {
    await using served = await there(shipped('log/json-file'), 'log');
    await run({ ...served, ctx: logContext, abilities, container: (facts) => loggedInfo(served.host.root, facts) });
  });
}

for (const { name, run } of ipamCases) {
  test(`addresses (default) served by Docker's protocol pass ipam.${name}`, async () => {
    await using served = await there(shipped('ipam/default'), 'ipam');
    await run({ ...served, ctx });
  });
}
