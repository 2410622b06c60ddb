import { codeOf, invalidArgument } from '@gantry/sdk';
import type { EngineEvent } from '@gantry/sdk/engine';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';

/** One JSON document a line; the head goes out before the first event. */
export async function events(call: Call): Promise<void> {
  const { query, signal } = call;
  const since = query.time('since', "'");
  const until = query.time('until', "'");
  if (since !== undefined && until !== undefined && (since.seconds - until.seconds || since.nanos - until.nanos) > 0) {
    throw invalidArgument(`\`since\` time (${since.seconds}) cannot be after \`until\` time (${until.seconds})`);
  }
  let behind: Error | undefined;
  // Whoever does not read keeps us waiting to write: the connection has to go for that to end.
  const onBehind = (reason: Error): void => {
    behind = reason;
    call.response.destroy();
  };
  const subscription = call.engine.events.subscribe(withoutAbsent({ since, until, filters: query.filters(), signal, onBehind }));
  const outgoing = call.stream('application/json');
  try {
    for await (const event of subscription) await outgoing.write(`${eventLine(event)}\n`);
  } catch (error) {
    if (behind === undefined && codeOf(error) !== 'cancelled') throw error;
  }
  if (behind !== undefined) throw behind;
  outgoing.end();
}

/** Nanoseconds since 1970 do not fit a double: the digits are put together as text. */
function eventLine({ type, action, actor: { id, attributes }, scope, time }: EngineEvent): string {
  const legacy = type === 'container' || type === 'image' ? { status: action, id } : {};
  const from = type === 'container' && attributes['image'] !== undefined ? { from: attributes['image'] } : {};
  const document = JSON.stringify({
    ...legacy,
    ...from,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope,
    time: time.seconds,
  });
  return `${document.slice(0, -1)},"timeNano":${time.seconds}${String(time.nanos).padStart(9, '0')}}`;
}
