import type { Call } from '../../http/call.ts';
import { infoDocument } from '../../shapes/info.ts';
import { versionDocument } from '../../shapes/version.ts';
import { get, head, options, post, type Route } from '../route.ts';
import { check } from './check.ts';
import { diskUsage } from './disk-usage.ts';
import { events } from './events.ts';

export const systemRoutes: readonly Route[] = [
  get('/_ping', ping),
  head('/_ping', ping),
  get('/version', async (call) => call.send(versionDocument(await call.engine.system.version()))),
  get('/info', async (call) => call.send(infoDocument(await call.engine.system.info(), call.version))),
  get('/events', events),
  get('/system/df', diskUsage),
  post('/gantry/v1/system/check', check),
  options('*', (call) => call.sendNothing(200)),
];

const pingHeaders = [
  'Builder-Version',
  '2',
  'Cache-Control',
  'no-cache, no-store, must-revalidate',
  'Pragma',
  'no-cache',
  'Swarm',
  'inactive',
];

function ping(call: Call): void {
  if (call.request.method === 'HEAD') call.sendNothing(200, pingHeaders);
  else call.sendBytes('OK', 'text/plain; charset=utf-8', 200, pingHeaders);
}
