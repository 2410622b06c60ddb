import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from '@gantry/sdk/client';
import type { CheckReport } from '@gantry/sdk/engine';
import { busyboxImage, busyboxLayer } from '../../support/images/busybox.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../../robustness/requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'check-'));
const upper = Buffer.concat([entry('etc/mine', 'mine'), endOfArchive]);
const image = makeImage({ reference: 'mine:1', layers: [busyboxLayer(), upper] });
let engine: Daemon;
leakGuard();

before(async () => {
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await again();
  // The folders of cgroups that all containers share stay.
  await readsMine();
});

after(async () => {
  await engine.kill();
  rmSync(folder, { recursive: true });
});

interface Damage {
  readonly name: string;
  readonly make: () => Promise<void> | void;
  /** `kind: problem`, for each finding. */
  readonly found: readonly RegExp[];
  readonly repaired: readonly RegExp[];
  /** What is still found after the repair, until `after` was done. */
  readonly left?: readonly RegExp[];
  readonly after?: () => Promise<unknown>;
}

const again = async (): Promise<void> => {
  await engine.api.stream('POST', '/images/load?quiet=1', { body: image.archive });
};

const damages: readonly Damage[] = [
  {
    name: 'a flipped byte of a blob: put aside, and whole after the image was loaded again',
    make: () => damage(blobWith('mine')),
    found: [/^blob: is damaged \(mine:1\)$/],
    repaired: [/^put aside as .*quarantine.*; load or pull mine:1 again$/],
    left: [/^blob: is not there \(mine:1\)$/],
    after: again,
  },
  {
    name: 'a blob that is gone: whole after the image was loaded again',
    make: () => rmSync(blobWith('mine')),
    found: [/^blob: is not there \(mine:1\)$/],
    repaired: [],
    left: [/^blob: is not there \(mine:1\)$/],
    after: again,
  },
  {
    name: 'a changed file of a layer: unpacked again',
    make: () => writeFileSync(layerFile('etc/mine'), 'them'),
    found: [/^layer: is not what its blob says: \/etc\/mine \(mine:1\)$/],
    repaired: [/^unpacked again from its blob$/],
  },
  {
    name: 'a layer with a file too many: unpacked again',
    make: () => writeFileSync(join(layerFile('etc/mine'), '../added'), ''),
    found: [/^layer: is not what its blob says: \/etc\/added \(mine:1\)$/],
    repaired: [/^unpacked again from its blob$/],
  },
  {
    name: 'a layer whose folder is gone: unpacked again',
    make: () => rmSync(join(layerFile('etc/mine'), '../../..'), { recursive: true }),
    found: [/^layer: cannot be checked: .*does not exist \(mine:1\)$/],
    repaired: [/^unpacked again from its blob$/],
  },
  {
    name: 'a snapshot and a blob that nobody names: removed',
    make: () => {
      const snapshot = join(graphRoot(), 'f'.repeat(64));
      mkdirSync(join(snapshot, 'diff'), { recursive: true });
      writeFileSync(join(snapshot, 'parents'), '');
      writeFileSync(join(blobs(), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'), '');
    },
    found: [/^blob: no image and no layer names it$/, /^snapshot: graph driver overlay2 has it and no record names it$/],
    repaired: [/^removed$/, /^removed$/],
  },
  {
    name: 'a volume whose folder is gone: told, never made anew',
    make: async () => {
      const { Mountpoint } = await engine.api.json<{ readonly Mountpoint: string }>('POST', '/volumes/create', { json: { Name: 'lost' } });
      rmSync(join(Mountpoint, '..'), { recursive: true });
    },
    found: [/^volume: volume driver local: it has no such volume$/],
    repaired: [],
    left: [/^volume: volume driver local: it has no such volume$/],
    after: () => expect(engine.api, 'DELETE', '/volumes/lost?force=1', { statuses: [204] }),
  },
];

for (const { name, make, found, repaired, left = [], after: mend } of damages) {
  test(`gantry system check finds ${name}`, async () => {
    await make();
    isLike(problems(await check()), found);
    const report = await check({ repair: true });
    isLike(problems(report), found);
    isLike(
      report.findings.flatMap((finding) => finding.repaired ?? []),
      repaired,
    );
    isLike(problems(await check()), left);
    await mend?.();
    assert.deepEqual((await check()).findings, []);
    await readsMine();
  });
}

test('gantry system check --repair leaves alone what a running container stands on, and says whom to stop', async () => {
  await createContainer(engine.api, 'stands', { image: 'mine:1', command: ['sleep', '7013'] });
  await expect(engine.api, 'POST', '/containers/stands/start', { statuses: [204] });
  writeFileSync(layerFile('etc/mine'), 'them');
  const [finding] = (await check({ repair: true })).findings;
  assert.match(finding?.advice ?? '', /^stop [0-9a-f]{12}, then gantry system check --repair$/);
  assert.equal(finding?.repaired, undefined);
  await removeContainer(engine.api, 'stands');
  await check({ repair: true });
  assert.deepEqual((await check()).findings, []);
});

test('gantry system check finds nothing wrong while images are loaded, containers made and removed', async () => {
  const rounds = 20;
  const churn = async (): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      await again();
      await createContainer(engine.api, 'churn', { image: 'mine:1', command: ['true'] });
      await removeContainer(engine.api, 'churn');
      await expect(engine.api, 'DELETE', '/images/mine:1', { statuses: [200] });
    }
    await again();
  };
  const churning = churn();
  const reports = [await check({ repair: true }), await check({ repair: true }), await check({ repair: true })];
  await churning;
  assert.deepEqual(
    reports.flatMap(({ findings }) => findings),
    [],
  );
  await readsMine();
});

test('gantry system check prints a line for each finding and ends with 1, and with 0 when all is well', () => {
  assert.deepEqual(gantry('system', 'check'), {
    status: 0,
    stdout: 'checked 4 blobs, 2 layers, 1 graph drivers, 0 volumes: all is well\n',
  });
  writeFileSync(layerFile('etc/mine'), 'them');
  const { status, stdout } = gantry('system', 'check');
  assert.equal(status, 1);
  assert.match(
    stdout,
    /^layer sha256:[0-9a-f]{64} is not what its blob says: \/etc\/mine \(mine:1\)\n {2}gantry system check --repair, or load or pull mine:1 again\n/,
  );
  assert.equal(gantry('system', 'check', '--repair').status, 0);
  const report = JSON.parse(gantry('system', 'check', '--format', 'json').stdout) as CheckReport;
  assert.deepEqual(report.findings, []);
});

async function check(options: { readonly repair?: boolean } = {}): Promise<CheckReport> {
  return connect({ host: `unix://${engine.places.socketPath}` }).system.check(options);
}

function problems({ findings }: CheckReport): readonly string[] {
  return findings.map(({ kind, problem, usedBy }) => `${kind}: ${problem}${usedBy.length === 0 ? '' : ` (${usedBy.join(', ')})`}`);
}

function isLike(texts: readonly string[], patterns: readonly RegExp[]): void {
  assert.equal(texts.length, patterns.length, texts.join('\n'));
  for (const [at, pattern] of patterns.entries()) assert.match(texts[at] ?? '', pattern);
}

function gantry(...words: readonly string[]): { readonly status: number | null; readonly stdout: string } {
  const program = join(import.meta.dirname, '../../../core/bin/gantry.mjs');
  const host = ['--host', `unix://${engine.places.socketPath}`];
  const { status, stdout } = spawnSync(process.execPath, [program, ...host, ...words], { encoding: 'utf8', timeout: 60_000 });
  return { status, stdout };
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function blobs(): string {
  return join(engine.places.dataRoot, 'content/blobs/sha256');
}

/** The layer that brings the text, small enough to be read. */
function blobWith(text: string): string {
  const found = readdirSync(blobs()).find((name) => {
    const bytes = readFileSync(join(blobs(), name));
    return bytes.length < 10_000 && bytes.includes(`etc/${text}`);
  });
  assert.ok(found !== undefined);
  return join(blobs(), found);
}

function graphRoot(): string {
  const root = join(engine.places.dataRoot, 'plugins');
  const found = readdirSync(root).find((name) => name.includes('overlay2'));
  assert.ok(found !== undefined);
  return join(root, found);
}

/** The file of the snapshot that brings it. */
function layerFile(path: string): string {
  const found = readdirSync(graphRoot()).find((key) => existsSync(join(graphRoot(), key, 'diff', path)));
  assert.ok(found !== undefined);
  return join(graphRoot(), found, 'diff', path);
}

async function readsMine(): Promise<void> {
  await createContainer(engine.api, 'reader', { image: 'mine:1', command: ['grep', '-qx', 'mine', '/etc/mine'] });
  assert.equal(await runToEnd(engine.api, 'reader'), 0);
  await removeContainer(engine.api, 'reader');
}
