import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { FluentReceiver } from '../../support/servers/fluent-receiver.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { untilTrue as until } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);

const away = { 'fluentd-address': '127.0.0.1:24224', 'fluentd-request-ack': 'true', tag: '{{.Name}}' };

test('a container whose receiver is away runs, ends and is read as any other; the receiver gets all of it when it comes, over a restart of the engine too', async () => {
  await using opened = await EngineUnderTest.open();
  const id = await opened.create('seq 1 5000', { name: 'counting', hostConfig: { LogConfig: { Type: 'fluentd', Config: away } } });
  const before = performance.now();
  const { result } = opened.engine.containers.wait(id, 'next-exit');
  await opened.engine.containers.start(id);
  assert.equal((await result).exitCode, 0);
  assert.ok(performance.now() - before < 20_000, 'it waited for its receiver');
  assert.deepEqual(await read(opened, id), numbers(5_000));
  await opened.reopen();
  assert.deepEqual((await read(opened, id)).slice(-2), ['4999', '5000']);
  await using receiver = await FluentReceiver.listen({ port: 24_224, host: '127.0.0.1' });
  await until(() => new Set(receiver.events.map(({ record }) => record['log'])).size === 5_000);
  assert.deepEqual(
    receiver.events.map(({ tag }) => tag).filter((tag) => tag !== 'counting'),
    [],
  );
  assert.deepEqual((await read(opened, id)).length, 5_000, 'it is still there to be read');
  await opened.engine.containers.remove(id, { force: true });
});

const wrong: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['syslog', { x: '1' }, /unknown log opt 'x' for syslog log driver/],
  ['fluentd', { 'fluentd-address': 'ftp://h' }, /unsupported scheme: 'ftp'/],
  ['gelf', {}, /gelf-address/],
  ['journald', { tag: '{{.Nope}}' }, /Nope/],
  ['http', { 'http-url': 'http://h', 'cache-disabled': 'perhaps' }, /invalid value for option cache-disabled: perhaps/],
];
test('containers with wrong log options are refused, and nothing is left', async () => {
  await using opened = await EngineUnderTest.open();
  for (const [Type, Config, message] of wrong) {
    await assert.rejects(
      opened.create('true', { hostConfig: { LogConfig: { Type, Config } } }),
      { code: 'invalid_argument', message },
      Type,
    );
  }
  assert.deepEqual(opened.engine.containers.list({ all: true }), []);
});

async function read({ engine }: EngineUnderTest, id: string): Promise<readonly string[]> {
  const { lines } = await engine.containers.logs(id, { stdout: true, stderr: true });
  const found = (await Array.fromAsync(lines)).flat();
  return found.map(({ data }) => data.toString().trimEnd());
}

function numbers(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1}`);
}
