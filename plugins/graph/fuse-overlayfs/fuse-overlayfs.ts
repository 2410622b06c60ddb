import { chmodSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Mount } from '@gantry/sdk';
import { readMountinfo } from '@gantry/sdk/linux';
import { type AttachRequest, type CommitRequest, type CommitResponse, SnapshotDriver, type StatusResponse } from '@gantry/sdk/graph';
import { forgetOrigins } from './origins.ts';
import { probeFuseOverlayfs, versionOfProgram } from './probe.ts';

/** What fuse-overlayfs needs to keep owners, modes, devices and attributes of layers as they are. */
const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_MKNOD',
  'CAP_SETFCAP',
  'CAP_SYS_ADMIN',
];

/**
 * `<key>/diff` is what the snapshot adds over its parents, with the program's own notes of what it hides: nobody else can read them, so the driver has no feature
 * `changes`. `<key>/work` is the program's.
 */
export class FuseOverlayfs extends SnapshotDriver {
  readonly features = [] as const;
  readonly #root: string;

  constructor(root: string) {
    super(root, { isMounted });
    this.#root = root;
  }

  override async commit(request: CommitRequest): Promise<CommitResponse> {
    const answer = await super.commit(request);
    rmSync(join(this.folders.path(request.name), 'work'), { recursive: true, force: true });
    return answer;
  }

  async status(): Promise<StatusResponse> {
    return {
      status: [
        { label: 'Program', value: `fuse-overlayfs ${(await versionOfProgram()) ?? '(not installed)'}` },
        { label: 'Backing Filesystem', value: `0x${statfsSync(this.#root).type.toString(16)}` },
        { label: 'Warning', value: 'what is written to a hard link of a layer below may be committed under another of its names' },
      ],
    };
  }

  probe(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
    return probeFuseOverlayfs();
  }

  protected fill(folder: string): void {
    mkdirSync(join(folder, 'diff'));
    chmodSync(join(folder, 'diff'), 0o755);
    mkdirSync(join(folder, 'work'), { mode: 0o700 });
  }

  protected override async freeze(folder: string): Promise<void> {
    await forgetOrigins(join(folder, 'diff'));
  }

  protected async show(request: AttachRequest): Promise<Mount> {
    const { key, chain, readOnly } = request;
    // What an earlier mount of it left; while one is there they are the program's.
    if (!readOnly && !this.folders.isMounted(key)) await forgetOrigins(join(this.#root, key, 'diff'));
    return chain.length === 0 ? { type: 'bind', source: { data: `${key}/diff` }, readOnly } : this.#overlay(request);
  }

  #overlay({ key, chain, readOnly }: AttachRequest): Mount {
    const lower = (readOnly ? [key, ...chain] : chain).map((one) => `{path:layers}/${one}/diff`);
    const options = [
      `lowerdir=${lower.join(':')}`,
      ...(readOnly ? [] : [`upperdir={path:layers}/${key}/diff`, `workdir={path:layers}/${key}/work`]),
    ];
    return {
      type: 'fuse',
      source: { opaque: `fuse-overlayfs:${partOf(join(this.#root, key))}` },
      options: ['default_permissions'],
      helper: {
        argv: ['fuse-overlayfs', '-f', '-o', options.join(','), '/dev/fd/3'],
        paths: { layers: { path: { data: '.' }, readOnly } },
        capabilities,
      },
      readOnly,
    };
  }
}

/** By this part of its source the kernel's list of mounts says which snapshot a FUSE mount shows; a bind's root has it anyway. */
function partOf(folder: string): string {
  return `/${basename(dirname(folder))}/${basename(folder)}/`;
}

function isMounted(folder: string): boolean {
  const part = partOf(folder);
  return readMountinfo().some(({ root, source }) => root.includes(part) || source.includes(part));
}
