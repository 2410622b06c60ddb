import { conflict, GantryError, invalidArgument } from '@gantry/sdk';
import { type PluginInfo, pluginInUse, type PluginState, type PluginUser } from '@gantry/sdk/engine';
import { assignments, gcAlways, setPlugin } from '../../bodies/plugin.ts';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { textOf } from '../../status.ts';
import { post, remove as removeRoute, type Route } from '../route.ts';
import { pluginOf } from './find.ts';

export const stateRoutes: readonly Route[] = [
  post('/plugins/:name/enable', enable),
  post('/plugins/:name/disable', disable),
  post('/plugins/:name/set', set),
  removeRoute('/plugins/:name', remove),
  post('/gantry/v1/plugins/:name/set', setTyped),
  post('/gantry/v1/plugins/:name/gc', collectOrphans),
  post('/gantry/v1/plugins/:name/gc-always', collectOrphansAlways),
  post('/gantry/v1/plugins/:name/rollback', async (call) => call.send(await call.engine.plugins.rollback(pluginOf(call).name))),
];

/** Enabled, but waiting for a reason to try again: enabling it is that reason. */
const stuck: readonly PluginState[] = ['backoff', 'quarantined', 'incompatible', 'misconfigured', 'failed'];
const longestTimeoutSeconds = 3_600;

async function enable(call: Call): Promise<void> {
  const plugin = pluginOf(call);
  const seconds = call.query.integer('timeout') ?? 0;
  if (seconds < 0) throw invalidArgument(`negative timeout ${seconds} for enable is not allowed`);
  if (plugin.enabled && !stuck.includes(plugin.state)) throw conflict(`plugin ${plugin.name} is enabled`);
  const timeoutMs = seconds === 0 ? undefined : Math.min(seconds, longestTimeoutSeconds) * 1e3;
  await call.engine.plugins.enable(plugin.name, withoutAbsent({ timeoutMs, signal: call.signal }));
  call.sendNothing(200);
}

async function disable(call: Call): Promise<void> {
  const plugin = pluginOf(call);
  if (!plugin.enabled) throw conflict(`plugin ${plugin.name} is disabled`);
  const done = call.engine.plugins.disable(plugin.name, { force: call.query.flag('force') });
  if (await unlessInUse(call, plugin, ({ hard }) => hard, done)) call.sendNothing(200);
}

async function remove(call: Call): Promise<void> {
  const plugin = pluginOf(call);
  const force = call.query.flag('force');
  if (plugin.enabled && !plugin.builtIn && !force)
    throw conflict(`plugin ${plugin.name} is enabled`, { hint: 'disable it first, or remove it with force' });
  const done = call.engine.plugins.remove(plugin.name, { force });
  if (await unlessInUse(call, plugin, () => true, done)) call.sendNothing(200);
}

/** What the plugin has and nobody knows of. */
async function collectOrphans(call: Call): Promise<void> {
  const { query, signal } = call;
  const { name } = pluginOf(call);
  call.send(await call.engine.plugins.collectOrphans(name, { all: query.flag('all'), dryRun: query.flag('dryRun'), signal }));
}

async function collectOrphansAlways(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const { always } = await call.json(gcAlways);
  if (always === undefined) throw invalidArgument('always is missing: say true or false');
  await call.engine.plugins.collectOrphansAlways(name, always);
  call.sendNothing(204);
}

/** Docker's form: all values are texts. */
async function set(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const given = await call.json(assignments, []);
  await call.engine.plugins.set(name, Object.fromEntries(given.map(assignment)));
  call.sendNothing(204);
}

/** null puts a setting back to its default. */
async function setTyped(call: Call): Promise<void> {
  const { name } = pluginOf(call);
  const { settings = {} } = await call.json(setPlugin);
  await call.engine.plugins.set(name, Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, value ?? undefined])));
  call.sendNothing(204);
}

export function assignment(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw invalidArgument(`invalid setting ${JSON.stringify(text.slice(0, 80))}: write KEY=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const mostNamed = 10;

/** Waits for `done`. When users are in its way, answers 409 with who they are: as text for people and as a list for programs. */
async function unlessInUse(
  call: Call,
  { name }: PluginInfo,
  isInTheWay: (user: PluginUser) => boolean,
  done: Promise<void>,
): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    const users = GantryError.is(error) && error.reason === pluginInUse ? call.engine.plugins.users(name).filter(isInTheWay) : [];
    if (users.length === 0) throw error;
    call.send({ message: withUsers(textOf(error), users), users }, 409);
    return false;
  }
}

function withUsers(message: string, users: readonly PluginUser[]): string {
  if (users.every((user) => message.includes(user.name))) return message;
  const named = users.slice(0, mostNamed).map((user) => `${user.kind} ${user.name}`);
  const more = users.length > mostNamed ? [`${users.length - mostNamed} more`] : [];
  return `${message} by ${[...named, ...more].join(', ')}`;
}
