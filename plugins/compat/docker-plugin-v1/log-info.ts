import { type ContainerInfo, formatLogTime, type LogTime, type ReadRequest } from '@gantry/sdk/log';
import type { Answer } from './answer.ts';

/** A container as Docker's logger.Info. */
export function loggerInfo(container: ContainerInfo, options: Readonly<Record<string, string>>): Answer {
  const [entrypoint = '', ...args] = container.command;
  return {
    Config: options,
    ContainerID: container.id,
    ContainerName: container.name.startsWith('/') ? container.name : `/${container.name}`,
    ContainerEntrypoint: entrypoint,
    ContainerArgs: args,
    ContainerImageID: container.imageId,
    ContainerImageName: container.image,
    ContainerCreated: container.created.toISOString(),
    ContainerEnv: container.env,
    ContainerLabels: container.labels,
    LogPath: '',
    DaemonName: 'gantry',
  };
}

/** Go's zero time stands for no limit, -1 for all lines. */
export function readConfig({ since, until, tail, follow }: ReadRequest): Answer {
  return { Since: goTime(since), Until: goTime(until), Tail: tail ?? -1, Follow: follow };
}

function goTime(time: LogTime | undefined): string {
  return time === undefined ? '0001-01-01T00:00:00Z' : formatLogTime(time);
}
