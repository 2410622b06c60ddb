import { flag, integer, list, map, object, text } from '../http/shape.ts';
import { endpoint } from './container.ts';

export const createVolume = object('CreateOptions', { Name: text, Driver: text, DriverOpts: map(text), Labels: map(text) });
export const renameVolume = object('RenameOptions', { Name: text });
export const resizeVolume = object('ResizeOptions', { Bytes: integer });
export const copyVolume = object('CopyOptions', { Name: text, DriverOpts: map(text), Labels: map(text) });

export const createNetwork = object('CreateRequest', {
  Name: text,
  Driver: text,
  Scope: text,
  EnableIPv4: flag,
  EnableIPv6: flag,
  IPAM: object('IPAM', {
    Driver: text,
    Options: map(text),
    Config: list(
      object('IPAMConfig', { Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: map(text), AuxAddress: map(text) }),
    ),
  }),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: object('ConfigReference', { Network: text }),
  Options: map(text),
  Labels: map(text),
});
export const connectNetwork = object('ConnectOptions', { Container: text, EndpointConfig: endpoint });
export const disconnectNetwork = object('DisconnectOptions', { Container: text, Force: flag });

export const registryAuth = object('AuthConfig', {
  username: text,
  password: text,
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});
