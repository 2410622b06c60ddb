import { unavailable } from '@gantry/sdk';
import { get, post, remove, type Route } from './route.ts';

/** Swarm mode is out of scope: clients get what Docker says on a node outside a swarm. */
export function notAManager(): never {
  throw unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

const nouns = ['services', 'tasks', 'nodes', 'secrets', 'configs'];

export const swarmRoutes: readonly Route[] = [
  get('/swarm', notAManager),
  get('/swarm/unlockkey', notAManager),
  ...['init', 'join', 'leave', 'update', 'unlock'].map((verb) => post(`/swarm/${verb}`, notAManager)),
  ...nouns.flatMap((noun) => [
    get(`/${noun}`, notAManager),
    get(`/${noun}/:id`, notAManager),
    get(`/${noun}/:id/logs`, notAManager),
    post(`/${noun}/create`, notAManager),
    post(`/${noun}/:id/update`, notAManager),
    remove(`/${noun}/:id`, notAManager),
  ]),
];
