import { invalidArgument } from '../errors.ts';
import type { ContainerInfo, LogTime, ReadRequest } from '../log/contract.ts';
import { parseLogTime } from '../log/time.ts';
import { type Body, given, list, object, text, texts } from './body.ts';

/** Docker's logger.Info as a container, and the options of its log. `dir`: a folder for the container's files. */
export function containerOf(
  info: Body,
  dir: string,
): { readonly container: ContainerInfo; readonly options: Readonly<Record<string, string>> } {
  const created = new Date(text(info, 'ContainerCreated'));
  const container: ContainerInfo = {
    id: idIn(info),
    name: text(info, 'ContainerName').replace(/^\//, ''),
    image: text(info, 'ContainerImageName'),
    imageId: text(info, 'ContainerImageID'),
    command: [text(info, 'ContainerEntrypoint'), ...list(info, 'ContainerArgs').map(String)].filter((word) => word !== ''),
    env: list(info, 'ContainerEnv').map(String),
    labels: texts(info, 'ContainerLabels'),
    created: Number.isNaN(created.getTime()) ? new Date(0) : created,
    dir,
  };
  return { container, options: texts(info, 'Config') };
}

/** It becomes a part of paths. */
export function idIn(info: Body): string {
  const id = given(info, 'ContainerID');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id)) throw invalidArgument(`ContainerID ${JSON.stringify(id.slice(0, 200))} is none`);
  return id;
}

/** Which entries a reader wants: Go's zero time stands for no limit, a negative tail for all lines. */
export function wishOf(body: Body): Pick<ReadRequest, 'since' | 'until' | 'tail' | 'follow'> {
  const config = object(body, 'Config');
  const { Tail: tail } = config;
  const [since, until] = [timeIn(config, 'Since'), timeIn(config, 'Until')];
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(typeof tail === 'number' && tail >= 0 ? { tail } : {}),
    follow: config['Follow'] === true,
  };
}

function timeIn(config: Body, name: string): LogTime | undefined {
  const written = text(config, name);
  if (written === '' || written.startsWith('0001-')) return undefined;
  const time = parseLogTime(written);
  if (time === undefined) throw invalidArgument(`${name} ${JSON.stringify(written.slice(0, 100))} is no time`);
  return time;
}
