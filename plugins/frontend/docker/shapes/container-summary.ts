import type { Container, Engine, MountPoint, PublishedPorts, SizeInfo } from '@gantry/sdk/engine';
import { unixSeconds } from '../http/time.ts';
import { networkSummary } from './network-settings.ts';
import { statusText } from './status.ts';

export interface SummaryOptions {
  readonly engine: Engine;
  readonly version: number;
  readonly nowMs: number;
  readonly size?: SizeInfo;
}

/** One entry of GET /containers/json. */
export function containerSummary(container: Container, { engine, version, nowMs, size }: SummaryOptions) {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: shownImage(container, engine),
    ImageID: container.imageId,
    Command: shownCommand(container),
    Created: unixSeconds(container.created),
    Ports: portList(container.ports),
    ...(size === undefined ? {} : { SizeRw: size.rw, SizeRootFs: size.rootFs }),
    Labels: container.config.Labels ?? {},
    State: container.state.status,
    Status: statusText(container, nowMs),
    HostConfig: {
      NetworkMode: container.hostConfig.NetworkMode ?? 'default',
      ...(version >= 46 && container.hostConfig.Annotations ? { Annotations: container.hostConfig.Annotations } : {}),
    },
    NetworkSettings: networkSummary(container, version),
    Mounts: container.mounts.map(mountPoint),
  };
}

export function mountPoint(mount: MountPoint) {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined || mount.driver === '' ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: mount.propagation,
    ...(mount.broken === undefined ? {} : { Broken: mount.broken }),
  };
}

/** The name that the user gave, unless it means another image by now. */
function shownImage({ config, imageId, platform }: Container, engine: Engine): string {
  const { Image: image = '' } = config;
  if (image === imageId) return image;
  try {
    const means = (options: object): boolean => engine.images.inspect(image, options).id === imageId;
    return means({}) || means({ platform }) ? image : imageId;
  } catch {
    return imageId;
  }
}

function shownCommand({ path, args }: Container): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

function portList(ports: PublishedPorts) {
  return Object.entries(ports).flatMap(([port, bindings]) => {
    const [number, Type = 'tcp'] = port.split('/');
    const PrivatePort = Number(number);
    if (bindings === null || bindings.length === 0) return [{ PrivatePort, Type }];
    return bindings.map(({ hostIp, hostPort }) => ({
      IP: hostIp,
      PrivatePort,
      ...(hostPort === 0 ? {} : { PublicPort: hostPort }),
      Type,
    }));
  });
}
