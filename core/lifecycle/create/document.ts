import type { ContainerConfig } from '@gantry/sdk/engine';
import { shortId } from '../../support/index.ts';
import { loggedContainer } from '../logged.ts';
import { type ContainerDocument, type PlannedMount, timestamp } from '../model.ts';
import type { Room } from '../room.ts';
import type { ContainerImage } from '../types.ts';
import { withoutSecrets } from './mounts.ts';
import type { CheckedRequest } from './request.ts';

interface Parts {
  readonly id: string;
  readonly name: string;
  readonly image: ContainerImage;
  readonly checked: CheckedRequest;
  readonly mounts: readonly PlannedMount[];
}

/** Everything that is written down of a new container. */
export async function composeDocument(room: Room, { id, name, image, checked, mounts }: Parts): Promise<ContainerDocument> {
  const { config: given, hostConfig, networks, platform } = checked;
  const config = completeConfig(given, id, hostConfig.UTSMode === 'host' || hostConfig.NetworkMode === 'host');
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const document: ContainerDocument = {
    created: timestamp(),
    path,
    args,
    config,
    hostConfig: withoutSecrets(room, hostConfig),
    networks,
    imageId: image.id,
    platform,
    mounts,
    exec: checked.exec,
    log: { ...checked.log, path: '' },
  };
  const log = await room.parts.logs.path(loggedContainer(room, { id, name, document }));
  return { ...document, log: { ...document.log, path: log } };
}

/** A container of its own UTS namespace is called by its short id. */
function completeConfig(config: ContainerConfig, id: string, sharesHostname: boolean): ContainerConfig {
  return config.Hostname || sharesHostname ? config : { ...config, Hostname: shortId(id) };
}
