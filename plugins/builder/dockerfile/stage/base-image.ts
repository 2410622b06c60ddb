import { GantryError } from '@gantry/sdk';
import type { Image, OnProgress } from '@gantry/sdk/engine';
import type { RegistryAuth } from '@gantry/sdk/transport';
import type { DockerfileRequest, Job } from '../job.ts';

/** An image that is here, or is fetched because it is not, is wanted anew, or is for another platform. */
export async function baseImage(
  { request, signal }: Job,
  reference: string,
  { platform, onProgress }: { readonly platform: string; readonly onProgress: OnProgress },
): Promise<Image> {
  const { images } = request.engine;
  const wanted = platform === '' ? {} : { platform };
  const here = findImage(images, reference, wanted);
  if (here !== undefined && (!request.pull || /^(?:sha256:)?[0-9a-f]{12,64}$/.test(reference))) return here;
  const auth = await loginFor(request, reference);
  await images.pull(reference, { onProgress, signal, ...wanted, ...(auth === undefined ? {} : { auth }) });
  return images.inspect(reference, wanted);
}

/** What whoever builds has for the registry of this image. */
export async function loginFor(request: DockerfileRequest, reference: string): Promise<RegistryAuth | undefined> {
  const host = hostOf(reference);
  return authFor(request.registryAuth, host) ?? (await request.auth?.(host));
}

/** An image that is here, for a platform where one is wanted. */
export function findImage(
  images: Job['request']['engine']['images'],
  reference: string,
  wanted: { readonly platform?: string } = {},
): Image | undefined {
  try {
    return images.inspect(reference, wanted);
  } catch (error) {
    if (GantryError.is(error) && error.code === 'not_found') return undefined;
    throw error;
  }
}

interface PlatformParts {
  readonly os?: string | undefined;
  readonly architecture?: string | undefined;
  readonly variant?: string | undefined;
}

/** What is not said fits. */
export function isFor({ os, architecture, variant }: PlatformParts, platform: string): boolean {
  const [wantedOs, wantedArchitecture, wantedVariant] = platform.toLowerCase().split('/');
  return (
    (wantedOs === undefined || os === undefined || wantedOs === os) &&
    (wantedArchitecture === undefined || architecture === undefined || wantedArchitecture === architecture) &&
    (wantedVariant === undefined || variant === undefined || wantedVariant === variant)
  );
}

/** Credentials are by the registry's host; Docker Hub's by its old address. */
function authFor(auths: Readonly<Record<string, RegistryAuth>>, host: string): RegistryAuth | undefined {
  const names =
    host === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'] : [host, `https://${host}`, `http://${host}`];
  const found = names.find((name) => Object.hasOwn(auths, name));
  return found === undefined ? undefined : auths[found];
}

function hostOf(reference: string): string {
  const [first = ''] = reference.split('/');
  return reference.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}
