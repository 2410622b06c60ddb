import { invalidArgument } from '@gantry/sdk';
import { packFormats } from '@gantry/sdk/engine';
import { attachPlugin, installPlugin, upgradePlugin } from '../../bodies/plugin.ts';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { withProgress } from '../../streams/progress.ts';
import { get, post, type Route } from '../route.ts';
import { fetching } from './fetch.ts';
import { findPlugin, pluginOf } from './find.ts';

/** Installing from every source: progress messages as Docker's, the last of which has the plugin in `aux`. */
export const ownFetchRoutes: readonly Route[] = [
  get('/gantry/v1/plugins/offer', offer),
  post('/gantry/v1/plugins/install', install),
  post('/gantry/v1/plugins/:name/upgrade', upgrade),
  post('/gantry/v1/plugins/attach', attach),
  post('/gantry/v1/plugins/pack', pack),
];

async function offer(call: Call): Promise<void> {
  const { engine, query } = call;
  const upgradeOf = query.word('upgradeOf');
  const source = required('source', query.text('source'));
  call.send(
    await engine.plugins.offer(source, {
      ...fetching(call),
      ...(upgradeOf === undefined ? {} : { upgradeOf: findPlugin(engine.plugins, upgradeOf).name }),
    }),
  );
}

/** A tar of the plugin's folder in, one file out. */
async function pack(call: Call): Promise<void> {
  const format = packFormats.find((known) => known === call.query.text('format'));
  if (format === undefined) throw invalidArgument(`format must be one of ${packFormats.join(', ')}`);
  const packed = await call.engine.plugins.pack(call.body(), { format, signal: call.signal });
  await call.stream(format === 'npm' ? 'application/gzip' : 'application/x-tar').pipe(packed);
}

async function install(call: Call): Promise<void> {
  const { source, grant = [], enable = true, ...rest } = await call.json(installPlugin);
  const { alias, settings, placement } = rest;
  const request = withoutAbsent({ source: required('source', source), grant, enable, alias: alias || undefined, settings, placement });
  await withProgress(call, async (report) => report({ aux: await call.engine.plugins.install(request, fetching(call, report)) }));
}

async function upgrade(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const { source, grant = [] } = await call.json(upgradePlugin);
  const request = { source: required('source', source), grant };
  await withProgress(call, async (report) => report({ aux: await call.engine.plugins.upgrade(name, request, fetching(call, report)) }));
}

async function attach(call: Call): Promise<void> {
  const { address, token, manifest, alias } = await call.json(attachPlugin);
  const request = withoutAbsent({ address: required('address', address), token, manifest, alias: alias || undefined });
  call.send(await call.engine.plugins.attach(request), 201);
}

export function required(field: string, value: string | undefined): string {
  if (value === undefined || value === '') throw invalidArgument(`${field} is missing`);
  return value;
}
