import { notImplemented } from '@gantry/sdk';
import { post, type Route } from './route.ts';

const noBuildKit = (): never => {
  throw notImplemented('BuildKit sessions are not supported');
};

export const buildRoutes: readonly Route[] = [
  post('/build', () => {
    throw notImplemented('building images needs a builder plugin, and none is loaded');
  }),
  // `docker system prune` always asks; there is no build cache to prune.
  post('/build/prune', (call) => call.send({ CachesDeleted: null, SpaceReclaimed: 0 })),
  post('/build/cancel', (call) => call.sendNothing(204)),
  post('/session', noBuildKit),
  post('/grpc', noBuildKit),
];
