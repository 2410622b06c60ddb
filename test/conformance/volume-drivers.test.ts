import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Attachment, Ctx } from '@gantry/sdk';
import { MemoryVolumeDriver } from '@gantry/sdk/testing';
import type { VolumeDriver } from '@gantry/sdk/volume';
import { makeMounts, unmount } from '../../core/execute/index.ts';
import { LocalDriver } from '../../plugins/volume/local/driver.ts';
import { type MountedVolume, volumeCases, type VolumeUnderTest } from '../../sdk/volume/conformance.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { quietLog } from '../support/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

interface Kind {
  readonly label: string;
  readonly canMount: boolean;
  readonly options: NonNullable<VolumeUnderTest['options']>;
  readonly open: (dataDir: string) => () => VolumeDriver;
}

const kinds: readonly Kind[] = [
  {
    label: 'local',
    canMount: true,
    options: {
      good: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' },
      missing: { type: 'nfs' },
      malformed: { type: 'tmpfs', device: 'tmpfs', size: 'much' },
    },
    open: (dataDir) => () => new LocalDriver(dataDir),
  },
  {
    label: 'memory',
    canMount: false,
    options: { good: { colour: 'red' }, malformed: { colour: '' } },
    open: () => {
      const volumes = new MemoryVolumeDriver().volumes;
      return () => new MemoryVolumeDriver(volumes);
    },
  },
];

for (const { label, canMount, options, open } of kinds) {
  for (const { name, skip, run } of volumeCases) {
    test(`the ${label} volume driver passes volume.${name}`, async (context) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'volume-'));
      const openDriver = open(dataDir);
      const subject: VolumeUnderTest = {
        driver: openDriver(),
        ctx,
        options,
        restart: async () => openDriver(),
        ...(canMount ? { mount: (attachment) => mountAt(dataDir, attachment) } : {}),
      };
      try {
        const reason = skip(subject);
        if (reason === undefined) await run(subject);
        else context.skip(reason);
      } finally {
        rmSync(dataDir, { recursive: true });
      }
    });
  }
}

let mounted = 0;

async function mountAt(dataDir: string, { mounts }: Attachment): Promise<MountedVolume> {
  const path = join(tmpdir(), `mounted-${(mounted += 1)}`);
  mkdirSync(path);
  const grants = { plugin: 'test', dataDir, mountTypes: [], hostPaths: [], devices: [], nftables: false };
  await makeMounts({ target: path, mounts, grants, restricted: true });
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await unmount(path);
      rmdirSync(path);
    },
  };
}
