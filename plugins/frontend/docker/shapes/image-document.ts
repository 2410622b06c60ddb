import type { ContainerConfig, Image } from '@gantry/sdk/engine';
import { neverTime } from '../http/time.ts';
import { configZeros } from './config-zeros.ts';

/** GET /images/{name}/json. */
export function imageDocument(image: Image, version: number) {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: image.parent,
    Comment: image.comment,
    ...(image.created === '' ? {} : { Created: image.created }),
    ...(version < 45 ? { Container: '', ContainerConfig: configZeros } : {}),
    DockerVersion: textOf(config['docker_version']),
    Author: config.author ?? '',
    Config: imageConfig(config.config ?? {}, version),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: textOf(config['os.version']) }),
    Size: image.sizeBytes,
    ...(version < 44 ? { VirtualSize: image.sizeBytes } : {}),
    GraphDriver: { Data: image.graphData, Name: image.graphDriver },
    RootFS: { Type: 'layers', ...(config.rootfs.diff_ids.length === 0 ? {} : { Layers: config.rootfs.diff_ids }) },
    Metadata: { LastTagTime: image.lastTagged === '' ? neverTime : image.lastTagged },
  };
}

/** Until 1.49 images showed every field of a container's config, since then those of the OCI image config that are set. */
function imageConfig(config: ContainerConfig, version: number): ContainerConfig {
  return version < 50 ? { ...configZeros, ...config } : config;
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');
