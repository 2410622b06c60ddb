import type { Progress } from '@gantry/sdk/engine';
import type { Call } from '../http/call.ts';
import { BuildLines } from '../streams/build-lines.ts';
import { get, post, remove, type Route } from './route.ts';

/** Builds that run and that ran, of which Docker's API knows nothing. A build is named by its id or a beginning of it that no other has. */
export const buildHistoryRoutes: readonly Route[] = [
  get('/gantry/v1/builds', (call) => call.send(call.engine.builds.history.list())),
  get('/gantry/v1/builds/:id/json', (call) => call.send(call.engine.builds.history.inspect(call.param('id')))),
  get('/gantry/v1/builds/:id/logs', logs),
  post('/gantry/v1/builds/:id/keep', (call) => {
    call.engine.builds.history.keep(call.param('id'), call.query.flag('keep', true));
    call.sendNothing(204);
  }),
  remove('/gantry/v1/builds/:id', (call) => {
    call.engine.builds.history.remove(call.param('id'));
    call.sendNothing(204);
  }),
];

/** As progress messages: what POST /build answered then; of a build that runs, until it ends. */
async function logs(call: Call): Promise<void> {
  const { history } = call.engine.builds;
  const { id } = history.inspect(call.param('id'));
  await call.stream('application/json').pipe(messages());

  async function* messages(): AsyncIterable<string> {
    const waiting: Progress[] = [];
    const lines = new BuildLines((progress) => waiting.push(progress));
    for await (const { event } of history.events(id, { signal: call.signal })) {
      lines.take(event);
      for (const line of waiting.splice(0)) yield `${JSON.stringify(line)}\r\n`;
    }
    const { imageId, error } = history.inspect(id);
    if (imageId === '') lines.flush();
    else lines.finish(imageId);
    for (const line of waiting.splice(0)) yield `${JSON.stringify(line)}\r\n`;
    if (error !== undefined) yield `${JSON.stringify({ errorDetail: { message: error.message }, error: error.message })}\r\n`;
  }
}
