import { invalidArgument } from '@gantry/sdk';
import type { LogStream } from '@gantry/sdk/engine';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { multiplexedStream, rawStream } from '../../http/headers.ts';
import { LogEncoder } from '../../streams/log-encoder.ts';
import { get, type Route } from '../route.ts';

export const logRoutes: readonly Route[] = [get('/containers/:id/logs', logs)];

async function logs(call: Call): Promise<void> {
  const { query, version } = call;
  const stdout = query.flag('stdout');
  const stderr = query.flag('stderr');
  if (!stdout && !stderr) throw invalidArgument("must specify at least one of 'stdout' or 'stderr'");
  const stream = await call.engine.containers.logs(
    call.param('id'),
    withoutAbsent({
      stdout,
      stderr,
      follow: query.flag('follow'),
      since: query.time('since'),
      until: query.text('until') === '0' ? undefined : query.time('until'),
      tail: tailOf(query.text('tail')),
      signal: call.signal,
    }),
  );
  const outgoing = call.stream(!stream.tty && version >= 42 ? multiplexedStream : rawStream);
  await outgoing.pipe(encode(stream, { timestamps: query.flag('timestamps'), details: query.flag('details') }));
}

/** A batch of lines becomes one write: a write for each line is what makes reading logs slow elsewhere. */
async function* encode(stream: LogStream, options: { readonly timestamps: boolean; readonly details: boolean }): AsyncIterable<Buffer> {
  const encoder = new LogEncoder({ ...options, framed: !stream.tty, attributes: stream.attributes });
  for await (const batch of stream.lines) {
    const bytes = encoder.encode(batch);
    if (bytes.length > 0) yield bytes;
  }
}

/** Absent for all lines, which a negative number also means. */
function tailOf(text: string): number | undefined {
  if (text === '' || text === 'all') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw invalidArgument(`invalid value for "tail": ${JSON.stringify(text)} is neither "all" nor a number`);
  return Number(text) < 0 ? undefined : Number(text);
}
