import { invalidArgument } from '@gantry/sdk';
import type { IpamConfig, IpamSubnet, NetworkInfo } from '@gantry/sdk/engine';
import { connectNetwork, createNetwork, disconnectNetwork } from '../bodies/objects.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import type { ShapeOf } from '../http/shape.ts';
import { get, post, remove, type Route } from './route.ts';

export const networkRoutes: readonly Route[] = [
  get('/networks', list),
  get('/networks/', list),
  get('/networks/:id', (call) => call.send(networkDocument(call.engine.networks.inspect(call.param('id')), call.version))),
  post('/networks/create', create),
  post('/networks/prune', async (call) => {
    const { deleted } = await call.engine.networks.prune({ filters: call.query.filters() });
    call.send({ NetworksDeleted: deleted });
  }),
  post('/networks/:id/connect', async (call) => {
    const { Container: container = '', EndpointConfig: config = {} } = await call.json(connectNetwork);
    await call.engine.networks.connect(call.param('id'), container, config);
    call.sendNothing(200);
  }),
  post('/networks/:id/disconnect', async (call) => {
    const { Container: container = '', Force: force = false } = await call.json(disconnectNetwork);
    await call.engine.networks.disconnect(call.param('id'), container, { force });
    call.sendNothing(200);
  }),
  remove('/networks/:id', async (call) => {
    await call.engine.networks.remove(call.param('id'));
    call.sendNothing(204);
  }),
];

/** Lists show no containers: Docker leaves them to inspect since 1.28. */
function list(call: Call): void {
  const networks = call.engine.networks.list({ filters: call.query.filters() });
  call.send(networks.map((network) => networkDocument(call.version < 28 ? network : { ...network, containers: {} }, call.version)));
}

async function create(call: Call): Promise<void> {
  const body = await call.json(createNetwork);
  if (body.Ingress === true) throw invalidArgument('ingress networks need swarm mode, which is not supported');
  const { id, warning } = await call.engine.networks.create(
    withoutAbsent({
      name: body.Name ?? '',
      driver: body.Driver || undefined,
      internal: body.Internal,
      attachable: body.Attachable,
      configOnly: body.ConfigOnly,
      configFrom: body.ConfigFrom?.Network || undefined,
      ipv4: call.version < 48 ? undefined : body.EnableIPv4,
      ipv6: body.EnableIPv6,
      ipam: body.IPAM && ipamConfig(body.IPAM),
      options: body.Options,
      labels: body.Labels,
    }),
  );
  call.send({ Id: id, Warning: warning }, 201);
}

type IpamBody = NonNullable<ShapeOf<typeof createNetwork>['IPAM']>;

/** Compose files of the old days say AuxAddress where the API says AuxiliaryAddresses. */
function ipamConfig({ Driver, Options, Config }: IpamBody): IpamConfig {
  const subnets = Config?.map(
    ({ AuxAddress, AuxiliaryAddresses = AuxAddress, ...subnet }): IpamSubnet => withoutAbsent({ ...subnet, AuxiliaryAddresses }),
  );
  return withoutAbsent({ Driver: Driver || undefined, Options, Config: subnets });
}

function networkDocument(network: NetworkInfo, version: number) {
  const containers = Object.entries(network.containers).map(([id, { name, endpointId, macAddress, ipv4, ipv6 }]) => [
    id,
    { Name: name, EndpointID: endpointId, MacAddress: macAddress, IPv4Address: ipv4, IPv6Address: ipv6 },
  ]);
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: network.scope,
    Driver: network.driver,
    ...(version >= 48 ? { EnableIPv4: network.ipv4 } : {}),
    EnableIPv6: network.ipv6,
    IPAM: { Driver: network.ipam.Driver ?? 'default', Options: network.ipam.Options ?? null, Config: network.ipam.Config ?? [] },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Containers: Object.fromEntries(containers),
    Options: network.options,
    Labels: network.labels,
  };
}
