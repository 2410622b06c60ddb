import type { LoggedContainer } from '../logs/types.ts';
import type { Entry } from './entry.ts';
import type { Room } from './room.ts';

/** A container as the logs room knows it. */
export function loggedContainer(
  room: Room,
  { id, name, document }: Pick<Entry, 'id' | 'name' | 'document'>,
  control?: string,
): LoggedContainer {
  const { config, imageId, path, args, created, log } = document;
  return {
    info: {
      id,
      name,
      image: config.Image ?? '',
      imageId,
      command: [path, ...args],
      env: config.Env ?? [],
      labels: config.Labels ?? {},
      created: new Date(created),
      dir: room.folders.container(id),
    },
    driver: log.driver,
    options: log.options,
    tty: config.Tty === true,
    ...(control === undefined ? {} : { control }),
  };
}
