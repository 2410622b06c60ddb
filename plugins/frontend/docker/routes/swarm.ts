import { type GantryError, unavailable } from '@gantry/sdk';

/** Swarm mode is out of scope: clients get what Docker says on a node outside a swarm. */
export function notAManager(): GantryError {
  return unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

/** Whether a path is one of swarm mode's, none of which needs a route of its own. */
export function isOfSwarm(path: string): boolean {
  return /^\/(swarm|services|tasks|nodes|secrets|configs)(\/|\?|$)/.test(path);
}
