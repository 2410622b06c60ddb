import { once } from 'node:events';
import { join } from 'node:path';
import type { Manifest } from '../manifest.ts';
import type { PluginModule } from '../plugin.ts';
import { serveGrpc } from '../rpc/grpc-server.ts';
import { hostOver } from '../rpc/host-client.ts';
import { PluginServer } from '../rpc/plugin-server.ts';
import { HostWire } from './host-wire.ts';

/** Milliseconds that calls under way may take after the engine asked the plugin to end. */
const graceMs = 8_000;

/**
 * Serves a plugin from this process, for the engine that started it: listens at the socket of the environment, says so in one line on
 * stdout, and ends when stdin ends or SIGTERM comes, after what is under way. Started by hand, it says what it is and exits with 64
 * (EX_USAGE); with `--manifest` it prints the manifest.
 *
 * Somebody else may run it with GANTRY_PLUGIN=1, GANTRY_PLUGIN_ENDPOINT=unix:///path and a GANTRY_PLUGIN_TOKEN of his, for
 * `gantry plugin attach`: then engines come and go, and only SIGTERM ends it.
 */
export async function serve(module: PluginModule, manifest: Manifest): Promise<never> {
  if (process.argv.includes('--manifest')) {
    console.log(JSON.stringify(manifest, undefined, 2));
    process.exit(0);
  }
  const given = takeEnvironment();
  if (given === undefined) {
    console.error(`${manifest.name} ${manifest.version} is a Gantry plugin and is started by the engine; try \`gantry plugin dev .\``);
    process.exit(64);
  }
  const ending = new AbortController();
  const host = new HostWire();
  const isOurs = given.hostEndpoint !== '';
  let { dataDir, runDir } = given;
  // The engine listens before it starts us, so there is nothing to wait for.
  if (isOurs) await host.connect(given.hostEndpoint);
  const server = new PluginServer({
    module,
    manifest,
    token: given.token,
    onSession: (wire) => host.use(wire),
    host: (config, secrets) => hostOver(host, { name: manifest.name, config, secrets, dataDir, runDir, signal: ending.signal }),
    async onSurroundings(told) {
      if (isOurs) return;
      ({ dataDir, runDir } = told);
      await host.connect(told.hostEndpoint);
    },
  });
  await serveGrpc(given.socketPath, server.services, server.handler);
  const line = { endpoint: `unix://${given.socketPath}`, name: manifest.name, version: manifest.version, pid: process.pid };
  process.stdout.write(`GANTRY-PLUGIN 1 ${JSON.stringify(line)}\n`);
  await asked({ isOurs });
  await server.stop(graceMs);
  ending.abort(new DOMException('the plugin is ending', 'AbortError'));
  process.exit(0);
}

/** Resolves when the engine that started us wants an end, or is no more; without one, when whoever started us wants it. */
async function asked({ isOurs }: { readonly isOurs: boolean }): Promise<void> {
  const signals = [once(process, 'SIGTERM'), once(process, 'SIGINT')];
  if (!isOurs) return void (await Promise.race(signals));
  process.stdin.resume();
  await Promise.race([once(process.stdin, 'end'), once(process.stdin, 'close'), ...signals]);
}

interface Environment {
  readonly socketPath: string;
  readonly hostEndpoint: string;
  readonly token: string;
  readonly dataDir: string;
  readonly runDir: string;
}

/** The token leaves the environment at once: what the plugin starts must not have it. */
function takeEnvironment(): Environment | undefined {
  const { GANTRY_PLUGIN, GANTRY_PLUGIN_ENDPOINT = '', GANTRY_HOST_ENDPOINT = '', GANTRY_PLUGIN_TOKEN = '' } = process.env;
  const { GANTRY_DATA_DIR = '', GANTRY_RUN_DIR = '' } = process.env;
  delete process.env['GANTRY_PLUGIN_TOKEN'];
  if (GANTRY_PLUGIN !== '1') return undefined;
  const socketPath = GANTRY_PLUGIN_ENDPOINT.replace(/^unix:\/\//, '') || join(GANTRY_RUN_DIR, 'd.sock');
  return { socketPath, hostEndpoint: GANTRY_HOST_ENDPOINT, token: GANTRY_PLUGIN_TOKEN, dataDir: GANTRY_DATA_DIR, runDir: GANTRY_RUN_DIR };
}
