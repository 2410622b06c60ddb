import { invalidArgument } from '@gantry/sdk';
import type { PluginLine } from '@gantry/sdk/engine';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { pluginDocument } from '../../shapes/plugin-document.ts';
import { get, type Route } from '../route.ts';
import { pluginFilter } from './filter.ts';
import { pluginOf } from './find.ts';

export const lookRoutes: readonly Route[] = [
  get('/plugins', (call) => {
    const matches = pluginFilter(call.query.filters(), { extended: false });
    call.send(call.engine.plugins.list().filter(matches).map(pluginDocument));
  }),
  get('/plugins/:name/json', (call) => call.send(pluginDocument(pluginOf(call)))),
  get('/gantry/v1/plugins', (call) => {
    const matches = pluginFilter(call.query.filters(), { extended: true });
    call.send(call.engine.plugins.list().filter(matches));
  }),
  get('/gantry/v1/plugins/:name/json', (call) => {
    const plugin = pluginOf(call);
    call.send({ ...plugin, users: call.engine.plugins.users(plugin.name) });
  }),
  get('/gantry/v1/plugins/:name/users', (call) => call.send(call.engine.plugins.users(pluginOf(call).name))),
  get('/gantry/v1/plugins/:name/logs', logs),
];

/** One JSON document a line; the head goes out at once, also when nothing was printed yet. */
async function logs(call: Call): Promise<void> {
  const { query, signal } = call;
  const { name } = pluginOf(call);
  const tail = query.text('tail') === 'all' ? undefined : query.integer('tail');
  if (tail !== undefined && tail < 0) throw invalidArgument(`invalid value for "tail": ${tail} is neither "all" nor a number`);
  const lines = call.engine.plugins.logs(name, withoutAbsent({ tail, follow: query.flag('follow'), signal }));
  await call.stream('application/json').pipe(encode(lines));
}

async function* encode(lines: AsyncIterable<PluginLine>): AsyncIterable<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}
