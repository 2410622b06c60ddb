import assert from 'node:assert/strict';
import { isAbsolute } from 'node:path';
import type { Privileges } from '../manifest.ts';
import type { Ctx } from '../types/index.ts';
import type { DescribeRequest, DescribingExecDriver, ProcessSpec } from './contract.ts';

/** A driver that describes, and what its manifest asks for. */
export interface DescribeUnderTest {
  readonly driver?: DescribingExecDriver;
  readonly ctx: Ctx;
  readonly privileges: Privileges;
  /** A command that it takes. */
  readonly args: readonly string[];
}
export interface DescribeCase {
  readonly name: string;
  readonly skip: (subject: DescribeUnderTest) => string | undefined;
  readonly run: (subject: DescribeUnderTest) => Promise<void>;
}

/** What every driver that describes must do; nothing is run. */
export const describeCases: readonly DescribeCase[] = Object.entries({
  'describe.same-answer': async (subject: DescribeUnderTest) => {
    assert.deepEqual(await describe(subject), await describe(subject));
  },
  'describe.many-at-once': async (subject: DescribeUnderTest) => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => describe(subject, `c${index}`)));
    assert.equal(answers.length, 20);
  },
  'describe.within-the-grant': async (subject: DescribeUnderTest) => {
    const run = await describe(subject);
    const { runtimes = [], hostPaths = [] } = subject.privileges;
    if (run.kind === 'runtime') {
      const words = [run.program, ...run.arguments].join(' ');
      assert.ok(runtimes.includes(words), `${JSON.stringify(words)} is not in privileges.runtimes: ${JSON.stringify(runtimes)}`);
      return;
    }
    assert.ok(run.argv[0] !== undefined && isAbsolute(run.argv[0]), `${JSON.stringify(run.argv)} begins with no absolute path`);
    for (const path of run.hostPaths ?? [])
      assert.ok(
        hostPaths.some((granted) => path === granted || path.startsWith(`${granted.replace(/\/$/, '')}/`)),
        `${path} is not covered by privileges.hostPaths`,
      );
  },
  'describe.refuses-with-a-reason': async (subject: DescribeUnderTest) => {
    // It may take everything; what it does not take it says so.
    await describe(subject, 'c', ['/no/such/command']).catch((error: unknown) =>
      assert.equal((error as { code?: string }).code, 'invalid_argument'),
    );
  },
}).map(([name, run]) => ({
  name,
  skip: ({ driver }: DescribeUnderTest) => (driver === undefined ? 'runs processes itself' : undefined),
  run,
}));

async function describe({ driver, ctx, args }: DescribeUnderTest, id = 'c', command = args): Promise<ProcessSpec> {
  const process = { args: command, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 }, terminal: false };
  const spec = { ociVersion: '1.0.2', root: { path: '/rootfs', readonly: false }, process, mounts: [], linux: { namespaces: [] } };
  const request: DescribeRequest = { id, containerName: id, labels: {}, spec };
  return ((await driver?.describe(request, ctx)) ?? assert.fail('it describes nothing')).run;
}
