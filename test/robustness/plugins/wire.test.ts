import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, type ErrorCode, messageOf } from '@gantry/sdk';
import { encode } from '@gantry/sdk/rpc';
import { Api } from '../../support/clients/api.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({ pluginPolicy: { backOffMs: [20, 100], strikeBudget: { count: 3, withinMs: 300_000 }, quarantineMs: [600_000] } });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
  await rig.callsWorker();
});
after(() => rig[Symbol.asyncDispose]());

const volume = (more: object = {}): Buffer =>
  encode('gantry.volume.v1.VolumeAnswer', { volume: { name: 'raw', scope: 'local', options: {}, ...more } });
/** Field 999, a number; and a text. */
const laterFields = Buffer.from([0xb8, 0x3e, 0x07, 0xc2, 0x3e, 0x02, 0x68, 0x69]);

test('fields of a later version in an answer are passed over', async () => {
  await using plugin = await rig.install('later', {
    raw: { answers: { create: { base64: Buffer.concat([volume(), laterFields]).toString('base64') } } },
  });
  await plugin.create('raw');
  assert.equal(plugin.info.state, 'ready');
  assert.doesNotMatch(plugin.info.output.join('\n'), /strike/);
});

test('a value of an enum that no version has, where there must be one, is a strike like any other answer that is none', async () => {
  await using _nothingLeft = await rig.noLeaks();
  // The volume's scope once more, by the number 99.
  const inner = volume();
  const scope = Buffer.from([...inner.subarray(2), 0x10, 0x63]);
  const answer = Buffer.concat([Buffer.from([0x0a, scope.length]), scope]);
  await using plugin = await rig.install('enums', { raw: { answers: { create: { base64: answer.toString('base64') } } } });
  const outcome = await plugin.create('raw').catch((error: unknown) => error);
  if (outcome instanceof Error) {
    assert.match(messageOf(outcome), /driver enums: create: the answer of create is not what the contract says/);
    assert.match(plugin.info.output.join('\n'), /strike/);
  } else assert.equal((await rig.engine.volumes.inspect('raw')).scope, 'local', 'the value that was known before counts');
});

test('a plugin without the service of its contract is told apart from one that is broken', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('without', { raw: { services: ['plugin'] } });
  await assert.rejects(soon(plugin.create('vol')), (error) => codeOf(error) === 'not_implemented');
  assert.doesNotMatch(plugin.info.output.join('\n'), /strike/);
  await rig.othersAreWell();
});

test('a list without end is cut short by its time or its length, and what it holds stays bounded', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('endless');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  plugin.misbehave({ list: { many: 1e12 } });
  const rssBefore = process.memoryUsage().rss;
  for (let round = 0; round < 3; round += 1) {
    const { warnings } = await soon(rig.engine.volumes.list({}), 15_000);
    assert.match(warnings.join('\n'), /volume driver endless: (no answer within 2000 ms|it lists more than 50000 volumes)/);
  }
  const grownMiB = (process.memoryUsage().rss - rssBefore) / 2 ** 20;
  assert.ok(grownMiB < 384, `${grownMiB} MiB`);
  plugin.misbehave({});
  await Promise.all([soon(plugin.create('after')), rig.othersAreWell(), container.isUntouched()]);
});

for (const placement of ['process', 'worker'] as const) {
  test(`an answer that comes after its call was given up, in placement ${placement}, is nobody's: later calls get their own`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`late-${placement}`, { placement, manifest: { timeouts: { 'volume.create': '300ms' } } });
    plugin.misbehave({ create: { does: 'wait', waitMs: 900, once: true } });
    await assert.rejects(soon(plugin.create('too-late')), (error) => codeOf(error) === 'deadline_exceeded');
    for (let call = 0; call < 30; call += 1) {
      const { name } = await plugin.create(`on-time-${call}`);
      assert.equal(name, `on-time-${call}`);
      await sleep(40);
    }
    assert.ok(['ready', 'degraded'].includes(plugin.info.state));
  });
}

test('a driver that answers for another volume than it was asked for is struck, and its answer is not taken', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('confuses');
  plugin.misbehave({ stat: { answer: { volume: { name: 'other', scope: 'local', options: {} } } } });
  await assert.rejects(rig.engine.volumes.inspect('asked'), (error) => codeOf(error) === 'not_found');
  assert.match(plugin.info.output.join('\n'), /strike: asked for volume asked, it answered other/);
});

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  invalid_argument: 400,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  aborted: 409,
  exhausted: 500,
  forbidden: 403,
  unauthorized: 401,
  not_implemented: 501,
  unavailable: 503,
  deadline_exceeded: 500,
  internal: 500,
  data_loss: 500,
};

test('what a driver refuses has its status over HTTP, one line that names the plugin or its object, and leaves nothing', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('refuses');
  const socketPath = join(rig.under.folder, 'api.sock');
  await using _serving = await rig.engine.serve({ hosts: [`unix://${socketPath}`] });
  using api = new Api(socketPath);
  for (const [code, wanted] of Object.entries(statuses)) {
    plugin.misbehave({ create: { does: 'refuse', code: code as ErrorCode } });
    const { status, body } = await api.call('POST', '/volumes/create', { json: { Name: `for-${code}`, Driver: 'refuses' } });
    const { message } = JSON.parse(body) as { readonly message: string };
    assert.equal(status, wanted, code);
    assert.match(message, new RegExp(`for-${code}.*the back end says ${code}`));
    assert.doesNotMatch(message, /\n|\.ts:\d/);
  }
  assert.deepEqual((await rig.engine.volumes.list({ filters: { driver: ['refuses'] } })).volumes, []);
  assert.doesNotMatch(plugin.info.output.join('\n'), /strike/);
});
