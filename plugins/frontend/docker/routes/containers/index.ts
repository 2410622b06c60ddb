import { plainHijack } from '../../streams/plain-hijack.ts';
import { post, type Route } from '../route.ts';
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
  post('/containers/:id/resize', async (call) => {
    await call.engine.containers.resize(call.param('id'), sizeOf(call));
    call.sendNothing(200);
  }),
];
