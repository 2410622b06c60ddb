/** A volume driver, or a network driver where the manifest says so, with one thing wrong, which `wrong.json` beside it says. Without it, it passes all cases. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { alreadyExists, type Ctx, definePlugin, type HostContext, type Manifest, notFound, type Ref, type RefState } from '@gantry/sdk';
import type { Volume, VolumeDriver } from '@gantry/sdk/volume';
import { networks } from './networks.ts';
import type { Wrong } from './wrong.ts';

const { wrong } = JSON.parse(readFileSync(join(import.meta.dirname, 'wrong.json'), 'utf8')) as { readonly wrong?: Wrong };

const { provides } = JSON.parse(readFileSync(join(import.meta.dirname, 'gantry-plugin.json'), 'utf8')) as Pick<Manifest, 'provides'>;

export default definePlugin({
  async activate(host) {
    const volumes = new Volumes(host);
    await volumes.open();
    return {
      drivers: provides.some(({ contract }) => contract === 'network')
        ? { network: { bad: networks(wrong) } }
        : { volume: { bad: volumes } },
      configure: async (_config, secrets) => {
        if (wrong === 'logs-secrets') host.log.info({ secrets }, 'new settings');
        if (wrong === 'prints-secrets') console.log('new settings', secrets);
        return wrong === 'takes-no-change' ? [{ path: 'size', message: 'stays as it is', fatal: true }] : [];
      },
      reconcile: (refs) => volumes.reconcile(refs),
      ...(wrong === 'never-ends' ? { deactivate: () => new Promise<void>(() => {}) } : {}),
    };
  },
});

/** A volume is a file in the data folder, and an entry in the state. */
class Volumes implements VolumeDriver {
  readonly #host: HostContext;
  readonly #inMemory = new Set<string>();
  #last = '';
  #uses = 0;

  constructor(host: HostContext) {
    this.#host = host;
    mkdirSync(this.#root, { recursive: true });
  }

  async open(): Promise<void> {
    const marker = await this.#host.state.get('newest');
    const newest = readdirSync(this.#root).length;
    if (wrong === 'minds-old-state' && newest > Number(marker?.value ?? 0)) throw new Error('the state is older than the data');
    if (wrong === 'listens') await new Promise<void>((resolve) => createServer().listen(0, '127.0.0.1', resolve));
    if (wrong === 'makes-namespaces') execFileSync('unshare', ['--user', 'true']);
    if (wrong === 'opens-outside') openSync(join(import.meta.dirname, '../outside'), 'w');
  }

  create = async ({ name }: { readonly name: string }, ctx: Ctx) => {
    if (wrong === 'mixes-answers') {
      this.#last = name;
      await sleep(5);
    }
    if (wrong === 'blocks' && name === 'busy3') for (const until = performance.now() + 1_500; performance.now() < until; );
    if (wrong === 'ignores-cancel') await sleep(3_000);
    if (wrong === 'prints') for (let line = 0; line < 30; line += 1) console.log(`line ${line} about ${name}`);
    if (wrong === 'refuses-again' && existsSync(this.#file(name)))
      throw alreadyExists(`volume ${name} is there already`, { reason: 'THERE' });
    if (wrong === 'half-made') await this.#inTwoSteps(name, ctx);
    if (!this.#inMemory.has(name)) await this.#make(name);
    return { volume: this.#volume(wrong === 'mixes-answers' ? this.#last : name) };
  };
  remove = async ({ name }: { readonly name: string }) => {
    if (wrong === 'refuses-again' && !existsSync(this.#file(name))) throw notFound(`no volume ${name}`, { reason: 'NOT_THERE' });
    this.#inMemory.delete(name);
    rmSync(this.#file(name), { force: true });
    rmSync(`${this.#file(name)}.half`, { force: true });
  };
  stat = async ({ name }: { readonly name: string }) => {
    if (!this.#has(name)) throw notFound(`no volume ${name}`, { reason: 'VOLUME_NOT_FOUND' });
    return { volume: this.#volume(name) };
  };
  list = async function* (this: Volumes) {
    for (const name of readdirSync(this.#root)) yield this.#volume(name);
  };
  attach = async ({ name }: { readonly name: string }) => {
    this.#uses += 1;
    const size = wrong === 'counts-uses' ? [`size=${this.#uses}m`] : [];
    return { attachment: { mounts: [{ type: 'tmpfs', source: { opaque: name }, options: size }] } };
  };
  detach = async () => {};

  async *reconcile(refs: AsyncIterable<Ref>): AsyncIterable<RefState> {
    const others = new Set(wrong === 'keeps-in-memory' ? this.#inMemory : readdirSync(this.#root));
    let count = 0;
    for await (const ref of refs) {
      count += 1;
      if (wrong === 'compares-some' && count > 1_000) continue;
      const isThere = ref.kind !== 'volume' || (wrong === 'keeps-in-memory' ? this.#inMemory.has(ref.id) : this.#has(ref.id));
      others.delete(ref.id);
      yield { ref, state: isThere ? 'ok' : 'missing', detail: '' };
    }
    for (const id of others) yield { ref: { contract: 'volume', driver: 'bad', kind: 'volume', id }, state: 'orphan', detail: '' };
  }

  get #root(): string {
    return join(this.#host.dataDir, 'volumes');
  }

  #file(name: string): string {
    return join(this.#root, name);
  }

  #has(name: string): boolean {
    return existsSync(this.#file(name)) || (wrong === 'believes-itself' && this.#inMemory.has(name));
  }

  async #make(name: string): Promise<void> {
    if (wrong === 'believes-itself') this.#inMemory.add(name);
    await this.#host.state.put([{ key: 'newest', value: String(readdirSync(this.#root).length + 1) }]);
    if (wrong === 'keeps-in-memory') this.#inMemory.add(name);
    else writeFileSync(this.#file(name), '');
  }

  /** What a call left that did not come to its end is in the way of the next. */
  async #inTwoSteps(name: string, { signal }: Ctx): Promise<void> {
    const half = `${this.#file(name)}.half`;
    if (existsSync(half)) throw alreadyExists(`${half} is there already`, { reason: 'HALF_MADE' });
    writeFileSync(half, '');
    await sleep(100, undefined, { signal });
    rmSync(half);
  }

  #volume(name: string): Volume {
    const status = wrong === 'tells-where' ? { status: { thread: isMainThread ? 'main' : 'worker', pid: String(process.pid) } } : {};
    return { name, scope: 'local', options: {}, ...status };
  }
}
