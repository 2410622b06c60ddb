/**
 * The transport contract: where images are fetched from and pushed to. Lives in the engine's process.
 *
 * resolve() answers a manifest by reference; fetch() streams a blob whose digest the engine verifies; push() sends blobs and a manifest.
 * Every byte that comes in is hostile until its digest matches.
 */
import type { Ctx } from '../types/index.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
  readonly serverAddress?: string;
}
export interface TransportDriver {
  resolve(
    request: { readonly reference: string; readonly auth?: RegistryAuth },
    ctx: Ctx,
  ): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }>;
  fetch(
    request: { readonly reference: string; readonly descriptor: Descriptor; readonly offset: number; readonly auth?: RegistryAuth },
    ctx: Ctx,
  ): AsyncIterable<Buffer>;
}
