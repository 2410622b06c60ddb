import { type Ctx, GantryError, type MethodOptions } from '@gantry/sdk';
import type { MethodTable } from '../../drivers/index.ts';
import type { Generation } from '../life/generation.ts';
import type { Plugin } from '../life/plugin.ts';

type Unary = (request: unknown, ctx: Ctx) => Promise<unknown>;
type Streaming = (request: unknown, ctx: Ctx) => AsyncIterable<unknown>;

/**
 * A driver's object whose calls go to the generation that serves when they are made, so that whoever holds it notices nothing of an upgrade
 * or a restart. A call whose connection broke has an unknown outcome; every method of a contract may be called again, so it is, once, on the
 * next generation. Streams are opened again by who reads them.
 */
export function routed(plugin: Plugin, contract: string, name: string, shape: object, methods: MethodTable): object {
  // What is no method of the contract stays as it is: constants above all.
  const object = Object.create(shape) as Record<string, unknown>;
  for (const [method, options] of Object.entries(methods)) {
    if (typeof Reflect.get(shape, method) !== 'function') continue;
    const call = async (generation: Generation, request: unknown, ctx: Ctx): Promise<unknown> => {
      const driver = await generation.driver(contract, name);
      const found = driver && (Reflect.get(driver, method) as (request: unknown, ctx: Ctx) => unknown);
      if (found === undefined)
        throw new GantryError('not_implemented', `${contract} driver ${name} of plugin ${plugin.name} has no ${method} any more`);
      return Reflect.apply(found, driver, [request, ctx]);
    };
    const what = `${contract} driver ${name}: ${method}`;
    object[method] = isStream(options) ? streaming(plugin, call) : unary(plugin, watched(plugin, call, what));
  }
  return object;
}

type Call = (generation: Generation, request: unknown, ctx: Ctx) => Promise<unknown>;

/** The plugin hears of the beginning of each call, and of its answer or refusal. */
function watched(plugin: Plugin, call: Call, what: string): Call {
  return async (...given) => {
    using _noted = plugin.calling(what);
    try {
      const answer = await call(...given);
      plugin.backEnd.heard(what);
      return answer;
    } catch (error) {
      plugin.backEnd.heard(what, error);
      throw error;
    }
  };
}

const isStream = ({ answer }: MethodOptions): boolean => answer === 'stream';

function unary(plugin: Plugin, call: Call): Unary {
  return async (request, ctx) => {
    const generation = await plugin.serving(ctx.signal);
    try {
      return await call(generation, request, ctx);
    } catch (error) {
      if (!isLost(error) || ctx.signal.aborted) throw plugin.discretion.error(error);
      await forgotten(plugin, generation, ctx.signal);
      return await discreetly(plugin, async () => call(await plugin.serving(ctx.signal), request, ctx));
    }
  };
}

async function discreetly<T>(plugin: Plugin, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw plugin.discretion.error(error);
  }
}

function streaming(plugin: Plugin, call: Call): Streaming {
  return async function* (request, ctx) {
    const generation = await plugin.serving(ctx.signal);
    using _held = plugin.hold();
    try {
      yield* (await call(generation, request, ctx)) as AsyncIterable<unknown>;
    } catch (error) {
      throw plugin.discretion.error(error);
    }
  };
}

/** A process that ends cancels what it is doing: nobody here did. */
const isLost = (error: unknown): boolean =>
  GantryError.is(error) && (error.reason === 'CONNECTION_LOST' || error.reason === 'DRAINING' || error.code === 'cancelled');

/** The connection ends a moment before the process is seen to: wait until the generation is no longer the one that serves, or is seen to live. */
async function forgotten(plugin: Plugin, generation: Generation, signal: AbortSignal): Promise<void> {
  if (plugin.current !== generation) return;
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(1_000)]);
  await Promise.race([
    generation.ended,
    new Promise<void>((resolve) => timeout.addEventListener('abort', () => resolve(), { once: true })),
  ]);
}
