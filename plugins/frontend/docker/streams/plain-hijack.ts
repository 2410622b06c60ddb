import { multiplexedStream, rawStream } from '../http/headers.ts';
import type { Call } from '../http/call.ts';
import type { HijackCall } from './hijack.ts';
import { Peer } from './peer.ts';

/**
 * The same request without `Connection: Upgrade`: the answer's body is the output until the connection ends, and a chunked request body is
 * the input.
 */
export function plainHijack(call: Call): HijackCall {
  const { request, response } = call;
  // dockerode repeats the options as a JSON body; what is not JSON is meant for the process.
  const bodyIsInput = call.hasBody && !(call.header('content-type') ?? '').startsWith('application/json');
  return {
    engine: call.engine,
    id: call.param('id'),
    query: call.query,
    version: call.version,
    signal: call.signal,
    json: (shape, absent) => (bodyIsInput ? Promise.resolve(absent) : call.json(shape, absent)),
    accept: ({ tty }) => {
      // Without a length and without chunks the end of the connection ends the answer, as Docker's raw streams do.
      response.removeHeader('Transfer-Encoding');
      call.stream(!tty && call.version >= 42 ? multiplexedStream : rawStream);
      return new Peer({ input: bodyIsInput ? request : undefined, output: response, tty });
    },
    sendNothing: (status) => call.sendNothing(status),
  };
}
