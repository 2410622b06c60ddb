import type { Abortable, Ctx } from '@gantry/sdk';
import type { OnProgress } from '@gantry/sdk/engine';
import type { Place, RegistryAuth, TransportDriver } from '@gantry/sdk/transport';
import { driverContext } from '../../drivers/index.ts';
import type { Reference } from '../reference.ts';
import type { Parts } from '../types.ts';

export interface TransferOptions extends Abortable {
  readonly auth?: RegistryAuth | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A repository at a registry, and who talks to it. */
export interface RegistryCall {
  readonly driver: TransportDriver;
  readonly place: Place;
  readonly onProgress: OnProgress;
  /** Of each call its own: a download may outlive who began it. */
  readonly context: (signal: AbortSignal | undefined) => Ctx;
  readonly signal: AbortSignal | undefined;
}

export async function registryCall(
  { drivers, log }: Parts,
  { domain, path }: Reference,
  { auth, onProgress, signal }: TransferOptions,
): Promise<RegistryCall> {
  const driver = await drivers.get('transport', await drivers.preferred('transport'));
  return {
    driver,
    place: { host: domain, repository: path, auth },
    onProgress: onProgress ?? (() => undefined),
    context: (of) => driverContext(log, of),
    signal,
  };
}

/** Twelve digits, as bars are labelled. */
export function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length).slice(0, 12);
}
