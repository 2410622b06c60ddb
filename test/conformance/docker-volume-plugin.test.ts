import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { volumeCases, type VolumeUnderTest } from '../../sdk/volume/conformance.ts';
import { mountBound } from '../support/machine/bound-volume.ts';
import { DockerPluginHost } from '../support/plugins/docker-plugin-host.ts';
import { startDockerPlugin } from '../support/plugins/docker-plugin.ts';
import { DockerVolumePlugin } from '../support/plugins/docker-volume-plugin.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

for (const { name, skip, run } of volumeCases) {
  test(`a Docker volume plugin behind the adapter passes volume.${name}`, async (context) => {
    await using host = new DockerPluginHost();
    using plugin = new DockerVolumePlugin(join(host.root, 'plugin'));
    const serve = () => startDockerPlugin(host.socket('real'), ['VolumeDriver'], plugin.methods);
    await using served = new AsyncDisposableStack();
    let server = served.use(await serve());
    const subject: VolumeUnderTest = {
      driver: await host.driver('volume', 'real'),
      ctx,
      options: { good: { colour: 'red' } },
      restart: async () => {
        await host.restart();
        return host.driver('volume', 'real');
      },
      mount: mountBound,
      stopBackend: async () => {
        await server[Symbol.asyncDispose]();
        return { [Symbol.asyncDispose]: async () => void (server = served.use(await serve())) };
      },
    };
    const reason = skip(subject);
    if (reason === undefined) await run(subject);
    else context.skip(reason);
  });
}
