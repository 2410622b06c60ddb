import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginModule } from '@gantry/sdk';
import type { ContainerInfo, Entry, WriteRequest } from '@gantry/sdk/log';
import { hostFor, type TestHost } from '@gantry/sdk/testing';
import { loggedInfo } from '../plugins/log-subject.ts';

type Options = Readonly<Record<string, string>>;

/** One container's output on its way through a log plugin that stands alone: no engine, no spool. */
export class SentLog implements AsyncDisposable {
  readonly container: ContainerInfo;
  readonly host: TestHost;
  readonly #folder: string;
  readonly #options: Options;

  private constructor(host: TestHost, folder: string, { options, facts }: { options: Options; facts: Partial<ContainerInfo> }) {
    this.host = host;
    this.#folder = folder;
    this.#options = options;
    this.container = loggedInfo(folder, facts);
  }

  static async open(module: PluginModule, options: Options, facts: Partial<ContainerInfo> = {}): Promise<SentLog> {
    return new SentLog(await hostFor(module), mkdtempSync(join(tmpdir(), 'sent-')), { options, facts });
  }

  validate(options: Options): Promise<void> {
    return this.host.driver('log').validate({ options }, this.host.ctx());
  }

  /** One stream with these entries in one batch, which then breaks off without a close; answers the acks. The next one goes on as the engine does after a break. */
  async send(
    entries: readonly (Entry | string)[],
    { firstSeq = 1, signal }: { firstSeq?: number; signal?: AbortSignal } = {},
  ): Promise<readonly number[]> {
    const { container } = this;
    const options = this.#options;
    const all = entries.map((entry) => (typeof entry === 'string' ? entryOf(entry) : entry));
    async function* requests(): AsyncGenerator<WriteRequest> {
      yield { kind: 'open', streamId: 's', container, options };
      yield { kind: 'batch', firstSeq, entries: all, droppedBefore: 0 };
    }
    return (await Array.fromAsync(this.host.driver('log').write(requests(), this.host.ctx(signal)))).map(({ ackedSeq }) => ackedSeq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export function entryOf(text: string, facts: Partial<Entry> = {}): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 123_456_789 }, source: 'stdout', line: Buffer.from(text), partial: false, ...facts };
}

/** Resolves when this holds, which may take ten seconds. */
export async function untilTrue(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    if (tries > 500) throw new Error(`${isTrue.toString()} did not come true`);
    await sleep(20);
  }
}
