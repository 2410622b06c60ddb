import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connectSeqpacket } from '../linux/index.ts';
import { create, type ExecCases, type ExecUnderTest, nextExit, outputOf, socketOf, until } from './conformance-harness.ts';

const gibibyte = 2 ** 30;

/** Much, and many. */
export const loadCases: ExecCases = {
  'io.1GiB': async (subject) => {
    const size = gibibyte / (subject.oneOf ?? 1);
    await using container = await create(subject, { script: `head -c ${size} /dev/zero` });
    await using client = await connectSeqpacket(socketOf(container.streams));
    const exit = nextExit(subject, container.id, { withinMs: 120_000 });
    await subject.driver.start(container, subject.ctx);
    let bytes = 0;
    for await (const packet of client.packets()) {
      bytes += packet.length - 1;
      if (packet[1] !== 0 || packet.at(-1) !== 0) assert.fail(`something else at byte ${bytes}`);
    }
    assert.deepEqual([bytes, (await exit).exitCode], [size, 0]);
    // The spool keeps to its limit meanwhile, give or take what one line has.
    const { spoolDir, spoolMaxBytes } = container.request;
    assert.ok(readdirSync(spoolDir).includes('ctr.log') && spoolMaxBytes > 0);
  },
  'parallel.50-start': async (subject) => {
    const codes = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await using container = await create(subject, { script: `exit ${index}` });
        const exit = nextExit(subject, container.id, { withinMs: 60_000 });
        await subject.driver.start(container, subject.ctx);
        return (await exit).exitCode;
      }),
    );
    assert.deepEqual(
      codes,
      Array.from(codes, (_, index) => index),
    );
  },
};

/** Of a driver whose belongings can be counted. */
export const leakCases: ExecCases = {
  'leak.none-after-1000': async (subject) => {
    const once = async (): Promise<void> => assert.equal((await outputOf(subject, { script: 'echo out' })).stdout, 'out\n');
    for (let warm = 0; warm < 10; warm += 1) await once();
    const before = keptBy(subject);
    for (let cycle = 0; cycle < 1_000 / (subject.oneOf ?? 1); cycle += 1) await once();
    const more = (): readonly string[] =>
      Object.entries(keptBy(subject)).flatMap(([what, count]) =>
        count > (before[what] ?? 0) ? [`${count} × ${what}, not ${before[what] ?? 0}`] : [],
      );
    // What goes by itself has a while for it.
    await until(() => more().length === 0).catch(() => assert.deepEqual(more(), []));
  },
};

const keptBy = (subject: ExecUnderTest) => subject.kept?.() ?? assert.fail('it cannot be counted');
