import { invalidArgument, messageOf } from '@gantry/sdk';
import type { WaitCondition } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { post, type Route } from '../route.ts';

export const waitRoutes: readonly Route[] = [post('/containers/:id/wait', wait)];

const conditions: readonly WaitCondition[] = ['not-running', 'next-exit', 'removed'];

/** Sends the head as soon as the waiter is registered: clients start the container only then. */
async function wait(call: Call): Promise<void> {
  // Until 1.29 there were no conditions, and nothing was sent before the end.
  if (call.version < 30) return waitSilently(call);
  const condition = conditionOf(call.query.word('condition') ?? 'not-running');
  const waiting = call.engine.containers.wait(call.param('id'), condition, { signal: call.signal });
  const outgoing = call.stream('application/json');
  const answer = await waiting.result.then(
    ({ exitCode, error }) => ({ StatusCode: exitCode, ...(error === undefined ? {} : { Error: { Message: error } }) }),
    (error: unknown) => ({ StatusCode: -1, Error: { Message: messageOf(error) } }),
  );
  outgoing.end(`${JSON.stringify(answer)}\n`);
}

async function waitSilently(call: Call): Promise<void> {
  const { exitCode } = await call.engine.containers.wait(call.param('id'), 'not-running', { signal: call.signal }).result;
  call.send({ StatusCode: exitCode });
}

function conditionOf(text: string): WaitCondition {
  const condition = conditions.find((known) => known === text);
  if (condition === undefined) throw invalidArgument(`invalid condition: ${JSON.stringify(text)}`);
  return condition;
}
