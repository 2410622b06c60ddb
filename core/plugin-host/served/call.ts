import { type Ctx, type DriverKind, forbidden, invalidArgument, notImplemented } from '@gantry/sdk';
import { methodsOf } from '../../drivers/index.ts';

/** Methods that only look, or only describe. */
const looking: Readonly<Record<string, readonly string[]>> = {
  graph: ['attach', 'list', 'usage', 'status', 'probe'],
  volume: ['stat', 'list', 'attach', 'usage'],
  network: ['createNetwork', 'attach', 'check'],
  log: ['validate', 'path'],
  exec: ['state', 'stats', 'pids', 'runtimes'],
  ipam: [],
};

/** One method of a driver, called by a person. Nothing that it describes is executed; with `dryRun` only methods that change nothing are called. */
export async function callByHand(
  driver: object,
  {
    kind,
    driver: name,
    method,
    request,
    dryRun,
    ctx,
  }: {
    readonly kind: DriverKind;
    readonly driver: string;
    readonly method: string;
    readonly request: unknown;
    readonly dryRun: boolean;
    readonly ctx: Ctx;
  },
): Promise<unknown> {
  const known = Object.keys(methodsOf[kind]);
  if (!known.includes(method))
    throw invalidArgument(`a ${kind} driver has no method ${JSON.stringify(method)}`, { hint: `its methods: ${known.join(', ')}` });
  if (dryRun && looking[kind]?.includes(method) !== true)
    throw forbidden(`${kind}.${method} changes something, so it is not for a dry run`, {
      hint: `for a dry run: ${looking[kind]?.join(', ') ?? 'none'}`,
    });
  const found: unknown = Reflect.get(driver, method);
  if (typeof found !== 'function') throw notImplemented(`${kind} driver ${name} has no ${method}`);
  const answer: unknown = Reflect.apply(found, driver, [request ?? {}, ctx]);
  if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer)
    return Array.fromAsync(answer as AsyncIterable<unknown>);
  return await answer;
}
