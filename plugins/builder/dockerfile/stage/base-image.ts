import { GantryError } from '@gantry/sdk';
import type { Image, OnProgress } from '@gantry/sdk/engine';
import type { RegistryAuth } from '@gantry/sdk/transport';
import type { Job } from '../job.ts';

/** An image that is here, or is fetched because it is not, is wanted anew, or is for another platform. */
export async function baseImage(
  { request, signal }: Job,
  reference: string,
  { platform, onProgress }: { readonly platform: string; readonly onProgress: OnProgress },
): Promise<Image> {
  const { images } = request.engine;
  const here = find(images, reference);
  const isRight = here !== undefined && (platform === '' || isFor(here, platform));
  if (isRight && (!request.pull || /^(?:sha256:)?[0-9a-f]{12,64}$/.test(reference))) return here;
  const host = hostOf(reference);
  const auth = authFor(request.registryAuth, host) ?? (await request.auth?.(host));
  await images.pull(reference, { onProgress, signal, ...(platform === '' ? {} : { platform }), ...(auth === undefined ? {} : { auth }) });
  return images.inspect(reference);
}

function find(images: Job['request']['engine']['images'], reference: string): Image | undefined {
  try {
    return images.inspect(reference);
  } catch (error) {
    if (GantryError.is(error) && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** What is not said fits. */
function isFor({ config: { os, architecture, variant } }: Image, platform: string): boolean {
  const [wantedOs, wantedArchitecture, wantedVariant] = platform.toLowerCase().split('/');
  return (
    (wantedOs ?? os) === os &&
    (wantedArchitecture === undefined || wantedArchitecture === architecture) &&
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
