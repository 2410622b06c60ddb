import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Attachment, Ctx } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import { makeMounts, unmount } from '../../core/execute/index.ts';
import { Overlay2 } from '../../plugins/graph/overlay2/overlay2.ts';
import { Vfs } from '../../plugins/graph/vfs/vfs.ts';
import { graphCases, type GraphUnderTest, type MountedSnapshot } from '../../sdk/graph/conformance.ts';
import { withExt4 } from '../support/ext4.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { quietLog } from '../support/quiet-log.ts';

inNamespaces(import.meta.url);

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const kinds = {
  overlay2: (dataDir: string) => new Overlay2(dataDir),
  vfs: (dataDir: string) => new Vfs(dataDir),
} as const;

const disk = withExt4({ sizeMiB: 512 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

for (const [label, open] of Object.entries(kinds)) {
  for (const { name, skip, run } of graphCases) {
    test(`the ${label} graph driver passes graph.${name}`, async (context) => {
      const dataDir = mkdtempSync(join(disk.path, 'graph-'));
      const opened: (GraphDriver & { settled(): Promise<void> })[] = [];
      const start = () => {
        const driver = open(dataDir);
        opened.push(driver);
        return driver;
      };
      const subject: GraphUnderTest = {
        driver: start(),
        ctx,
        dataDir,
        restart: async () => start(),
        mount: (attachment) => mountAt(dataDir, attachment),
      };
      const why = skip(subject);
      try {
        if (why === undefined) await run(subject);
        else context.skip(why);
      } finally {
        for (const driver of opened) await driver.settled();
        rmSync(dataDir, { recursive: true });
      }
    });
  }
}

async function mountAt(dataDir: string, { mounts }: Attachment): Promise<MountedSnapshot> {
  const path = mkdtempSync(join(tmpdir(), 'snapshot-'));
  mkdirSync(path, { recursive: true });
  const grants = { plugin: 'test', dataDir, mountTypes: [], hostPaths: [], devices: [], nftables: false };
  await makeMounts({ target: path, mounts, grants });
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await unmount(path);
      rmdirSync(path);
    },
  };
}
