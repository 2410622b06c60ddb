import { unavailable } from '@gantry/sdk';
import { log, t } from '@gantry/sdk/author';

/** Sends lines to an HTTP sink. When it throws, the engine keeps the batch in its spool and tries again; the container never notices. */
export default log({
  name: 'http-lines',
  options: t.Object({ url: t.String({ format: 'uri' }) }),
  privileges: { network: 'host' },
  async write(batch, s) {
    const body = batch.entries.map((e) => JSON.stringify({ ts: e.time, src: e.source, msg: e.text, c: s.container.name })).join('\n');
    const answer = await fetch(s.options.url, { method: 'POST', signal: s.signal, body });
    if (answer.status >= 500 || answer.status === 429) throw unavailable(`sink answered ${answer.status}`, { retryAfterMs: 2_000 });
  },
});
