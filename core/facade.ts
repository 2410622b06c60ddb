import { hostname } from 'node:os';
import { invalidArgument, type Logger, messageOf } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import type { AuthzLink, Serving } from '@gantry/sdk/frontend';
import { driverContext } from './drivers/index.ts';
import type { LocalEngine } from './local-engine.ts';
import { registries } from './registries.ts';
import type { Rooms } from './rooms.ts';

/** The rooms as one engine. */
export function facade(rooms: Rooms, recovered: Promise<void>, opened: AsyncDisposableStack): LocalEngine {
  const { lifecycle, volumes, events, drivers, options, actions } = rooms;
  const { containers, execs } = lifecycle;
  const engine: LocalEngine = {
    containers: actions.timed('container', containers, {
      create: 'create',
      start: 'start',
      remove: 'delete',
      commit: 'commit',
      changes: 'changes',
    }),
    execs,
    images: actions.timed('image', rooms.images, {
      pull: 'pull',
      push: 'push',
      load: 'load',
      save: 'save',
      remove: 'delete',
      import: 'import',
    }),
    volumes,
    networks: actions.timed('network', rooms.networks, {
      create: 'create',
      remove: 'delete',
      connect: 'connect',
      disconnect: 'disconnect',
    }),
    events,
    plugins: drivers,
    registries: registries({ drivers, log: options.log }),
    builds: rooms.builds,
    recovered,
    get system() {
      return rooms.system;
    },
    reload({ labels = [], debug = false }) {
      rooms.system.reload({ labels, debug });
      events.publish('daemon', 'reload', rooms.system.id, { name: hostname(), labels: JSON.stringify(labels) });
    },
    serve: (request) => serveAt(rooms, engine, request),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
  rooms.facade.engine = engine;
  return engine;
}

/** By every front end that is installed. */
async function serveAt(
  { drivers, options }: Rooms,
  engine: Engine,
  { hosts, ...places }: Parameters<LocalEngine['serve']>[0],
): Promise<Serving> {
  if (hosts.length === 0) throw invalidArgument('no host to listen on');
  await using serving = new AsyncDisposableStack();
  const servings: Serving[] = [];
  const names = options.authorizationPlugins ?? [];
  const authorization = names.map((name) => ({ name, driver: () => drivers.get('authz', name) }));
  await tellMissing(authorization, options.log);
  for (const name of drivers.names('frontend')) {
    const frontend = await drivers.get('frontend', name);
    const request = { engine, hosts, authorization, ...places };
    servings.push(serving.use(await frontend.serve(request, driverContext(options.log))));
  }
  const addresses = servings.flatMap((each) => each.addresses);
  const lost = hosts.find((host) => !addresses.includes(host));
  if (lost !== undefined)
    throw invalidArgument(`no front end can serve ${lost}`, { hint: `installed are ${drivers.names('frontend').join(', ')}` });
  const kept = serving.move();
  return {
    addresses,
    idleMs: () => Math.min(...servings.map((each) => each.idleMs())),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Without one of them no request is let in; containers are taken over all the same. */
async function tellMissing(authorization: readonly AuthzLink[], log: Logger): Promise<void> {
  for (const { name, driver } of authorization) {
    await driver().catch((error: unknown) =>
      log.error(
        { plugin: name, reason: messageOf(error) },
        'the authorization plugin cannot be asked: every request is refused until it can',
      ),
    );
  }
}
