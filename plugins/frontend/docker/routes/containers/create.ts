import { conflict, GantryError, invalidArgument } from '@gantry/sdk';
import type { EndpointConfig } from '@gantry/sdk/engine';
import { configNames, createContainer } from '../../bodies/container.ts';
import { asOfVersion, configOfVersion } from '../../bodies/earlier.ts';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { readShape, type ShapeOf } from '../../http/shape.ts';

/** POST /containers/create: the image's config, a host config and the networks in one body. */
export async function create(call: Call): Promise<void> {
  const document = await call.document();
  const body: ShapeOf<typeof createContainer> = document === null ? {} : readShape(createContainer, document);
  if (!Object.keys(body).some((name) => configNames.has(name))) {
    throw invalidArgument('config cannot be empty in order to create a container');
  }
  const { HostConfig: hostConfig = {}, NetworkingConfig: networking, ...config } = body;
  const request = withoutAbsent({
    name: call.query.word('name'),
    config: configOfVersion(config, call.version),
    hostConfig: asOfVersion(hostConfig, call.version),
    networks: networking?.EndpointsConfig && endpoints(networking.EndpointsConfig),
    platform: call.query.word('platform'),
  });
  const { id, warnings } = await call.engine.containers.create(request).catch(withoutDriver);
  call.send({ Id: id, Warnings: warnings }, 201);
}

/** Clients take 404 here for a missing image, pull that, and show the failure of the pull: a missing driver is told as what it is. */
function withoutDriver(error: unknown): never {
  if (!GantryError.is(error) || error.reason !== 'DRIVER_NOT_FOUND') throw error;
  throw conflict(error.message, { hint: error.hint, reason: error.reason, cause: error });
}

function endpoints(configs: Readonly<Record<string, EndpointConfig | null>>): Readonly<Record<string, EndpointConfig>> {
  return Object.fromEntries(Object.entries(configs).map(([network, config]) => [network, config ?? {}]));
}
