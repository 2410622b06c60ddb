import { type DriverKind, driverKinds, invalidArgument } from '@gantry/sdk';
import { bindPlugin, callPlugin, preferDriver } from '../../bodies/plugin.ts';
import type { Call } from '../../http/call.ts';
import { post, type Route } from '../route.ts';
import { findPlugin } from './find.ts';
import { required } from './own-fetch.ts';

/** What is asked of a driver, whichever plugin has it. */
export const driverRoutes: readonly Route[] = [
  post('/gantry/v1/plugins/call', callDriver),
  post('/gantry/v1/plugins/bind', bind),
  post('/gantry/v1/plugins/default', prefer),
];

/** Tries before it acts: without `dryRun: false` nothing is changed. */
async function callDriver(call: Call): Promise<void> {
  const { kind, driver, method, request = {}, dryRun = true } = await call.json(callPlugin);
  const asked = { kind: kindOf(kind), driver: required('driver', driver), method: required('method', method), request, dryRun };
  call.send({ answer: (await call.engine.plugins.call(asked)) ?? null });
}

async function bind(call: Call): Promise<void> {
  const { kind, driver, plugin } = await call.json(bindPlugin);
  const { name } = findPlugin(call.engine.plugins, required('plugin', plugin));
  await call.engine.plugins.bind(kindOf(kind), required('driver', driver), name);
  call.sendNothing(204);
}

async function prefer(call: Call): Promise<void> {
  const { kind, driver } = await call.json(preferDriver);
  await call.engine.plugins.prefer(kindOf(kind), required('driver', driver));
  call.sendNothing(204);
}

function kindOf(text = ''): DriverKind {
  const kind = driverKinds.find((known) => known === text);
  if (kind === undefined) throw invalidArgument(`kind must be one of ${driverKinds.join(', ')}, not ${JSON.stringify(text.slice(0, 80))}`);
  return kind;
}
