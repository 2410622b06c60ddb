import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { hostOver } from '../rpc/host-client.ts';
import { PluginServer } from '../rpc/plugin-server.ts';
import { overPort } from '../rpc/port.ts';
import type { Wire } from '../rpc/wire.ts';
import { loadPlugin } from './load.ts';

/** The main file of a worker thread that serves one plugin; see `core/plugin-host`. */
const { dir, port, token, dataDir, runDir } = workerData as {
  readonly dir: string;
  readonly port: MessagePort;
  readonly token: string;
  readonly dataDir: string;
  readonly runDir: string;
};
const ending = new AbortController();
const { module, manifest } = await loadPlugin(dir);
const server = new PluginServer({
  module,
  manifest,
  token,
  host: (config, secrets) => hostOver(host, { name: manifest.name, config, secrets, dataDir, runDir, signal: ending.signal }),
});
const host: Wire = overPort(port, server.handler);
parentPort?.postMessage('ready');
parentPort?.once('message', () => {
  void server.stop(8_000).finally(() => {
    ending.abort(new DOMException('the plugin is ending', 'AbortError'));
    port.close();
    parentPort?.close();
  });
});
