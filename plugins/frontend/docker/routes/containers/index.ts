import { invalidArgument } from '@gantry/sdk';
import { plainHijack } from '../../streams/plain-hijack.ts';
import { get, post, type Route } from '../route.ts';
import { archiveRoutes } from './archive.ts';
import { attach } from './attach.ts';
import { create } from './create.ts';
import { inspectRoutes } from './inspect.ts';
import { lifecycleRoutes } from './lifecycle.ts';
import { listRoutes } from './list.ts';
import { logRoutes } from './logs.ts';
import { sizeOf } from './resize.ts';
import { statsRoutes } from './stats.ts';
import { waitRoutes } from './wait.ts';

export const containerRoutes: readonly Route[] = [
  ...listRoutes,
  post('/containers/create', create),
  ...lifecycleRoutes,
  ...inspectRoutes,
  ...logRoutes,
  ...statsRoutes,
  ...waitRoutes,
  ...archiveRoutes,
  post('/containers/:id/attach', (call) => attach(plainHijack(call))),
  get('/containers/:id/attach/ws', () => {
    throw invalidArgument('this path needs a WebSocket: the request says neither "Connection: Upgrade" nor "Upgrade: websocket"');
  }),
  post('/containers/:id/resize', async (call) => {
    await call.engine.containers.resize(call.param('id'), sizeOf(call));
    call.sendNothing(200);
  }),
];
