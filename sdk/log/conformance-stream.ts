import assert from 'node:assert/strict';
import type { LogUnderTest } from './conformance.ts';
import type { ContainerInfo, Entry, ReadRequest, WriteRequest } from './contract.ts';

interface SendOptions {
  readonly firstSeq?: number;
  readonly droppedBefore?: number;
}

/** One `write` call, driven by hand. */
export interface Stream extends AsyncDisposable {
  readonly container: ContainerInfo;
  readonly acks: readonly number[];
  /** Resolves when the batch is acknowledged. */
  send(entries: readonly Entry[], options?: SendOptions): Promise<void>;
  /** Resolves when the driver waits for more. */
  settle(): Promise<void>;
  close(flushDeadlineMs?: number): Promise<void>;
  /** As when the engine dies: no close. */
  breakOff(): Promise<void>;
}

interface StreamOptions {
  readonly container?: ContainerInfo;
  readonly options?: Readonly<Record<string, string>>;
  readonly streamId?: string;
}

export function openStream({ driver, ctx, container: make, options: base = {} }: LogUnderTest, given: StreamOptions = {}): Stream {
  const { container = make(), options = base, streamId = `${container.id}:driver:1` } = given;
  const queue: WriteRequest[] = [{ kind: 'open', streamId, container, options }];
  const acks: number[] = [];
  let isOver = false;
  let wake = (): void => {};
  let sent = 0;
  const changed = new Set<() => void>();
  const tell = (): void => changed.forEach((callback) => callback());
  async function* requests(): AsyncGenerator<WriteRequest> {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (isOver) return;
      else {
        tell();
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
  const answering = (async () => {
    for await (const { ackedSeq } of driver.write(requests(), ctx)) {
      acks.push(ackedSeq);
      tell();
    }
  })();
  answering.catch(() => {});
  const failed = answering.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  const until = async (test: () => boolean): Promise<void> => {
    while (!test()) {
      const news = Promise.withResolvers<void>();
      changed.add(news.resolve);
      await Promise.race([news.promise, failed]);
      changed.delete(news.resolve);
    }
  };
  const end = async (): Promise<void> => {
    isOver = true;
    wake();
    await answering;
  };
  return {
    container,
    acks,
    async send(entries, { firstSeq = sent + 1, droppedBefore = 0 } = {}) {
      queue.push({ kind: 'batch', firstSeq, entries, droppedBefore });
      sent = firstSeq + entries.length - 1;
      wake();
      const seq = sent;
      await until(() => acks.some((ack) => ack >= seq));
    },
    settle: () => until(() => queue.length === 0),
    async close(flushDeadlineMs = 5_000) {
      queue.push({ kind: 'close', flushDeadlineMs });
      await end();
    },
    breakOff: end,
    [Symbol.asyncDispose]: end,
  };
}

export function entry(text: string, facts: Partial<Entry> = {}): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 1 }, source: 'stdout', line: Buffer.from(text), partial: false, ...facts };
}

export function lines(...texts: readonly string[]): readonly Entry[] {
  return texts.map((text) => entry(text));
}

export function requestFor(container: ContainerInfo, query: Partial<ReadRequest>): ReadRequest {
  return { container, options: {}, follow: false, stdout: true, stderr: true, ...query };
}

export async function answersOf({ driver, ctx }: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest> = {}) {
  return Array.fromAsync(driver.read?.(requestFor(container, query), ctx) ?? assert.fail('the driver has no read'));
}

export async function read(subject: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest> = {}): Promise<readonly Entry[]> {
  return (await answersOf(subject, container, query)).flatMap(({ entries }) => entries);
}

export async function readTexts(
  subject: LogUnderTest,
  container: ContainerInfo,
  query: Partial<ReadRequest> = {},
): Promise<readonly string[]> {
  return (await read(subject, container, query)).map(({ line }) => line.toString());
}

export async function collect(subject: LogUnderTest, container: ContainerInfo, query: Partial<ReadRequest>, into: string[]): Promise<void> {
  const { driver, ctx } = subject;
  for await (const { entries } of driver.read?.(requestFor(container, query), ctx) ?? []) {
    into.push(...entries.map(({ line }) => line.toString()));
  }
}
