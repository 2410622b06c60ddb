import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { InstallRequest, Privilege } from '@gantry/sdk/engine';
import { fetchPlugin, parseSource } from '../../plugin-install/index.ts';
import { privilegesOf } from '../../plugin-manifest/index.ts';
import { randomId, shortId } from '../../support/index.ts';
import type { ChangesParts } from './change-parts.ts';
import type { Version } from '../record.ts';
import { checkEngine } from '../requirements.ts';

type Fetched = Pick<InstallRequest, 'source' | 'grant'>;
export type PrivilegeCheck = (asked: readonly Privilege[], granted: readonly Privilege[]) => void;

/** Brings a version's code onto the disk. One that this engine cannot run, or that asks for more than it is granted, is gone again. */
export async function fetchVersion(
  parts: ChangesParts,
  { source, grant, check, ...options }: Fetched & { readonly check: PrivilegeCheck } & Parameters<typeof fetchPlugin>[3],
): Promise<Version> {
  const { options: host } = parts;
  const version = await fetchPlugin(parseSource(source), codeDir(parts), host.installTools(), options);
  return keepOrDiscard(parts, version, async () => {
    checkEngine(version.manifest, host.version);
    if (grant !== 'all') check(privilegesOf(version.manifest), grant);
    return version;
  });
}

/** A folder for code that is not there yet. */
export function codeDir({ records }: ChangesParts): string {
  return join(records.codeRoot, shortId(randomId()));
}

/** What fails takes the code with it that it was done for. */
export async function keepOrDiscard<Result>(parts: ChangesParts, version: Version, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    discard(parts, version);
    throw error;
  }
}

/** Deletes a version's code, unless it is somebody else's folder. */
export function discard({ records }: ChangesParts, version: Pick<Version, 'dir'> | undefined): void {
  if (version?.dir.startsWith(records.codeRoot) === true) rmSync(version.dir, { recursive: true, force: true });
}
