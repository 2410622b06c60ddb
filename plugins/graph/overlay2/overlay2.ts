import { chmodSync, chownSync, closeSync, mkdirSync, openSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount, Path } from '@gantry/sdk';
import {
  type AttachRequest,
  type CommitRequest,
  type CommitResponse,
  type FillRequest,
  type GraphDriver,
  type ResizeRequest,
  SnapshotDriver,
  type StatusResponse,
} from '@gantry/sdk/graph';
import { projectQuotaState } from '@gantry/sdk/linux';
import { type Abilities, optionsOf, tryOverlay } from './abilities.ts';
import { forgetEphemeral, noteEphemeral } from './ephemeral.ts';
import { fileSystemName } from './file-system-name.ts';
import { readQuota, writeQuota } from './quota.ts';

/** `<key>/diff` is what the snapshot adds over its parents, `<key>/work` what overlayfs needs to write there. */
export class Overlay2 extends SnapshotDriver {
  /** `changes` only where an upper folder says all that changed. */
  readonly features: GraphDriver['features'];
  readonly #root: string;
  readonly #abilities: Abilities;

  /** Makes the root where it is missing. Unless `abilities` are given, they are found out by a mount. */
  constructor(root: string, abilities?: Abilities) {
    super(root);
    this.#root = root;
    this.#abilities = abilities ?? tryOverlay(root);
    this.features = this.#abilities.isUsable && this.#abilities.noNativeDiff !== undefined ? ['quota'] : ['changes', 'quota'];
  }

  override async commit(request: CommitRequest): Promise<CommitResponse> {
    const answer = await super.commit(request);
    rmSync(join(this.folders.path(request.name), 'work'), { recursive: true, force: true });
    return answer;
  }

  async resize({ key, quotaBytes }: ResizeRequest): Promise<void> {
    writeQuota(this.folders.writable(key), quotaBytes);
  }

  async status(): Promise<StatusResponse> {
    const abilities = this.#abilities;
    const isUsable = abilities.isUsable;
    return {
      status: [
        { label: 'Backing Filesystem', value: fileSystemName(statfsSync(this.#root).type) },
        { label: 'Supports d_type', value: String(isUsable) },
        { label: 'Using metacopy', value: 'false' },
        { label: 'Native Overlay Diff', value: String(isUsable && abilities.noNativeDiff === undefined) },
        { label: 'userxattr', value: String(isUsable && abilities.usesUserXattrs) },
        { label: 'Size Limits', value: String(this.#hasProjectQuota()) },
      ],
    };
  }

  async probe(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
    const abilities = this.#abilities;
    return abilities.isUsable ? { usable: true } : { usable: false, reason: abilities.reason };
  }

  protected fill(folder: string, { below, quotaBytes = 0 }: FillRequest): void {
    mkdirSync(join(folder, 'diff'));
    // overlayfs shows the topmost root folder's owner and permissions.
    const parent = below === undefined ? undefined : statSync(join(below, 'diff'));
    if (parent !== undefined) chownSync(join(folder, 'diff'), parent.uid, parent.gid);
    chmodSync(join(folder, 'diff'), (parent?.mode ?? 0o755) & 0o7777);
    mkdirSync(join(folder, 'work'), { mode: 0o700 });
    if (quotaBytes > 0) writeQuota(folder, quotaBytes);
  }

  protected show(request: AttachRequest): Mount {
    const { key, chain, readOnly, view } = request;
    const mount = view === 'changes' || chain.length === 0 ? bind(key, readOnly) : this.#overlay(request);
    const quotaBytes = readOnly ? undefined : readQuota(this.folders.path(key));
    return quotaBytes === undefined ? mount : { ...mount, quotaBytes };
  }

  #overlay({ key, chain, readOnly, ephemeral = false }: AttachRequest): Mount {
    const abilities = this.#abilities;
    const parents = chain.map(diff);
    const options = [...optionsOf(abilities.isUsable ? abilities : { usesUserXattrs: false })];
    if (!readOnly) {
      const folder = this.folders.path(key);
      forgetEphemeral(folder, { key, isMounted: () => this.folders.isMounted(key) });
      if (ephemeral && abilities.isUsable && abilities.hasVolatile) {
        noteEphemeral(folder);
        options.push('volatile');
      }
    }
    return {
      type: 'overlay',
      source: { opaque: 'overlay' },
      options,
      overlay: readOnly ? { lower: [diff(key), ...parents] } : { lower: parents, upper: diff(key), work: { data: `${key}/work` } },
      readOnly,
    };
  }

  #hasProjectQuota(): boolean {
    const folder = openSync(this.#root, 'r');
    try {
      return projectQuotaState(folder) === 'enforced';
    } finally {
      closeSync(folder);
    }
  }
}

function bind(key: string, readOnly: boolean): Mount {
  return { type: 'bind', source: diff(key), readOnly };
}

function diff(key: string): Path {
  return { data: `${key}/diff` };
}
