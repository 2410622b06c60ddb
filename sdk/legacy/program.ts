import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { GantryError, messageOf, unavailable } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Activation, HostContext, PluginModule } from '../plugin.ts';
import { connectGrpc, connectPlugin, type ConnectedPlugin, Dispatcher, hostServiceOf, serveGrpc, type Wire } from '../rpc/index.ts';
import { spawnPlugin } from '../serve/plugin-process.ts';
import { environmentOf } from '../serve/start.ts';

/**
 * A plugin that is a program of any language, as a module: the program is started as an engine of ours starts it, and asked over gRPC. When it ends it is started again,
 * after 100 ms, 200 ms, … ten seconds, and calls wait for it so long.
 */
export function programModule(dir: string, manifest: Manifest): PluginModule {
  return {
    async activate(host): Promise<Activation> {
      const program = new Program(dir, { manifest, host });
      try {
        const { drivers, activation } = await program.begin();
        return { drivers, ...activation, deactivate: () => program.end() };
      } catch (error) {
        await program.end();
        throw error;
      }
    },
  };
}

interface Started extends AsyncDisposable {
  readonly wire: Wire;
  readonly plugin: ConnectedPlugin;
  readonly ended: Promise<string>;
}

/** Its end comes right after its connection's. */
const noticedMs = 2_000;
const longestPauseMs = 10_000;
/** One that ran so long begins anew with short pauses. */
const settledMs = 60_000;

class Program {
  readonly #dir: string;
  readonly #manifest: Manifest;
  readonly #host: HostContext;
  readonly #ending = new AbortController();
  #generation = 0;
  #current: Promise<Started> | undefined;
  #watching: Promise<void> | undefined;

  constructor(dir: string, { manifest, host }: { readonly manifest: Manifest; readonly host: HostContext }) {
    this.#dir = dir;
    this.#manifest = manifest;
    this.#host = host;
  }

  /** To whichever process answers now. A call that lost its process is made again at the next, as an engine of ours makes it. */
  readonly #calls: Wire = {
    unary: async (...given) => {
      const asked = await this.#running();
      try {
        return await asked.wire.unary(...given);
      } catch (error) {
        if (!GantryError.is(error) || error.reason !== 'CONNECTION_LOST') throw error;
        await Promise.race([asked.ended, sleep(noticedMs)]);
        await setImmediate();
        return (await this.#running()).wire.unary(...given);
      }
    },
    stream: (...given) => this.#stream(...given),
    close() {},
  };

  /** Its drivers, which stay the same whichever process answers. */
  async begin(): Promise<Pick<ConnectedPlugin, 'drivers' | 'activation'>> {
    this.#current = this.#start();
    const first = await this.#current;
    this.#watching = this.#keep(first);
    return first.plugin;
  }

  async end(): Promise<void> {
    this.#ending.abort();
    const last = await this.#current?.catch(() => undefined);
    await last?.[Symbol.asyncDispose]();
    await this.#watching;
  }

  /** Until the end is wanted. */
  async #keep(first: Started): Promise<void> {
    let running: Started | undefined = first;
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const since = Date.now();
      const how = await running?.ended;
      if (this.#ending.signal.aborted) return;
      if (how !== undefined) this.#host.log.error(`the program of plugin ${this.#manifest.name} ended: ${how}`);
      if (Date.now() - since > settledMs) pauseMs = 100;
      this.#current = this.#startAfter(running, pauseMs);
      running = await this.#current.catch((error: unknown) => this.#failed(error));
    }
  }

  async #startAfter(last: Started | undefined, pauseMs: number): Promise<Started> {
    await last?.[Symbol.asyncDispose]();
    await sleep(pauseMs, undefined, { signal: this.#ending.signal });
    return this.#start();
  }

  async *#stream(...given: Parameters<Wire['stream']>): AsyncIterable<Uint8Array> {
    yield* (await this.#running()).wire.stream(...given);
  }

  async #running(): Promise<Started> {
    try {
      if (this.#current !== undefined) return await this.#current;
    } catch (error) {
      throw unavailable(`the program of plugin ${this.#manifest.name} does not run: ${messageOf(error)}`, { cause: error });
    }
    throw unavailable(`the program of plugin ${this.#manifest.name} does not run`);
  }

  #failed(error: unknown): undefined {
    if (!this.#ending.signal.aborted)
      this.#host.log.error(`the program of plugin ${this.#manifest.name} cannot be started: ${messageOf(error)}`);
  }

  async #start(): Promise<Started> {
    this.#generation += 1;
    const { dataDir, runDir, log } = this.#host;
    const folder = join(runDir, String(this.#generation));
    mkdirSync(folder, { mode: 0o700 });
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    const [socket, hostSocket] = [join(folder, 'd.sock'), join(folder, 'h.sock')];
    const token = randomBytes(32).toString('base64');
    const instance = `docker.${this.#generation}`;
    const service = hostServiceOf(this.#host);
    const dispatcher = new Dispatcher({ find: (name) => (name === 'host' ? service : undefined), ctx: (facts) => facts });
    undo.use(await serveGrpc(hostSocket, ['host'], dispatcher));
    const env = environmentOf({ socket, hostSocket, token, instance, dataDir, runDir });
    const child = undo.use(await spawnPlugin(this.#dir, this.#manifest, { env, onLine: (line) => log.info(line) }));
    const wire = await connectGrpc(`unix://${socket}`);
    undo.defer(() => wire.close());
    const plugin = await connectPlugin(wire, { manifest: this.#manifest, token, instance, context: this.#host, calls: this.#calls });
    const whole = undo.move();
    return { wire, plugin, ended: child.ended, [Symbol.asyncDispose]: () => whole.disposeAsync() };
  }
}
