import type { Image } from '@gantry/sdk/engine';
import { unixSeconds } from '../http/time.ts';

/** One entry of GET /images/json. */
export function imageSummary(image: Image & { readonly sharedSizeBytes: number; readonly containers: number }, version: number) {
  const isDangling = image.repoTags.length === 0 && image.repoDigests.length === 0 && version < 43;
  return {
    Containers: image.containers,
    Created: unixSeconds(image.created),
    Id: image.id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: image.parent,
    RepoDigests: isDangling ? ['<none>@<none>'] : image.repoDigests,
    RepoTags: isDangling ? ['<none>:<none>'] : image.repoTags,
    SharedSize: image.sharedSizeBytes,
    Size: image.sizeBytes,
    ...(version < 44 ? { VirtualSize: image.sizeBytes } : {}),
  };
}
