import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Entry } from '@gantry/sdk/log';
import { conformance, type OpenedPlugin, openPlugin, type OpenOptions } from '@gantry/sdk/conformance';
import { hostFor } from '@gantry/sdk/testing';
import httpLog from '../examples/http-log/main.ts';
import { addressService, backEnd } from '../support/engine/back-end.ts';
import { loggedInfo } from '../support/plugins/log-subject.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

const examples = join(import.meta.dirname, '../examples');
const sunk: string[] = [];
let sinkStatus = 204;
const sink = await backEnd(async (_, body) => {
  sunk.push(...body.split('\n'));
  return { status: sinkStatus };
});
after(() => sink[Symbol.asyncDispose]());

conformance(join(examples, 'phpipam'), { open: openWithService });
conformance(join(examples, 'http-log'), { facts: { log: { options: { base: { url: sink.url } } } } });
conformance(join(examples, 'folders-sh'));

test('log() tells that a sink is down, and leaves out what a broken stream sends again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'log-'));
  await using host = await hostFor(httpLog);
  const driver = host.driver('log');
  const container = loggedInfo(root);
  sunk.length = 0;
  const send = async (firstSeq: number, ...texts: readonly string[]): Promise<readonly number[]> => {
    async function* requests() {
      yield { kind: 'open', streamId: 's', container, options: { url: sink.url } } as const;
      yield { kind: 'batch', firstSeq, entries: texts.map(entry), droppedBefore: 0 } as const;
    }
    return (await Array.fromAsync(driver.write(requests(), host.ctx()))).map(({ ackedSeq }) => ackedSeq);
  };
  assert.deepEqual(await send(1, 'one', 'two'), [2]);
  sinkStatus = 503;
  await assert.rejects(send(3, 'three'), { code: 'unavailable', retryAfterMs: 2_000, message: /503/ });
  sinkStatus = 204;
  sunk.length = 0;
  assert.deepEqual(await send(2, 'two', 'three'), [2, 3]);
  assert.deepEqual(
    sunk.map((line) => (JSON.parse(line) as { readonly msg: string }).msg),
    ['three'],
  );
  rmSync(root, { recursive: true });
});

/** Each case has a service of its own, with empty books. */
async function openWithService(dir: string, options: OpenOptions): Promise<OpenedPlugin> {
  await using undo = new AsyncDisposableStack();
  const service = undo.use(await addressService('open sesame'));
  const plugin = undo.use(await openPlugin(dir, { ...options, settings: { url: service.url, token: 'open sesame' } }));
  const opened = undo.move();
  return Object.defineProperty(Object.create(plugin) as OpenedPlugin, Symbol.asyncDispose, { value: () => opened.disposeAsync() });
}

function entry(text: string): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 1 }, source: 'stdout', line: Buffer.from(text), partial: false };
}
