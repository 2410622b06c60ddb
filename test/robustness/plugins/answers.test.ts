import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type PluginWishes, Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { strikeBudget: { count: 3, withinMs: 300_000 }, quarantineMs: [600_000], backOffMs: [20, 100] },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

const answered = (answers: NonNullable<PluginWishes['raw']>['answers']): PluginWishes => ({ raw: { ...(answers && { answers }) } });
const invalid: Readonly<Record<string, { readonly wishes: PluginWishes; readonly message: RegExp }>> = {
  'bytes that are no message': {
    wishes: answered({ create: { base64: '/////////w==' } }),
    message: /create: the answer of create is not what the contract says/,
  },
  'a message without what it must have': { wishes: answered({ create: { base64: '' } }), message: /VolumeAnswer\.volume is missing/ },
  'a message that ends too early': {
    wishes: answered({ create: { base64: 'CgUKBHg=' } }),
    message: /create: the answer of create is not what/,
  },
  'more than 4 MiB': { wishes: answered({ create: { zeros: (4 << 20) + 1 } }), message: /create: .*(larger than|4194304)/i },
};

for (const [what, { wishes, message }] of Object.entries(invalid)) {
  test(`a plugin that answers ${what} gets a strike for each, is quarantined after three, and an enable frees it`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    const name = `answers-${what.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')}`;
    await using plugin = await rig.install(name, wishes);
    for (let strike = 1; strike <= 3; strike += 1) {
      const [error] = await Promise.all([soon(plugin.create('odd').catch((reason: unknown) => reason)), rig.othersAreWell()]);
      assert.match(messageOf(error), message);
      assert.match(messageOf(error), new RegExp(`driver ${name}`));
      assert.match(plugin.info.output.join('\n'), /strike: /);
    }
    const { error = '', hint = '' } = await plugin.becomes('quarantined');
    assert.match(error, /it broke its contract 3 times; the last: .*create/);
    assert.match(hint, new RegExp(`gantry plugin enable ${name}`));
    await assert.rejects(plugin.create('odd'), /is quarantined/);
    await rig.engine.plugins.enable(name);
    await plugin.becomes('ready');
  });
}

const bind = (source: object, more: object = {}): object => ({ attachment: { mounts: [{ type: 'bind', source, ...more }] } });
const plans: Readonly<Record<string, object>> = {
  'a type of mount that it was not granted': { attachment: { mounts: [{ type: 'ext4', source: { device: '/dev/sda1' } }] } },
  'a path of the machine that it was not granted': bind({ host: '/etc' }),
  'a path above its data folder': bind({ data: '../../etc' }),
  'an absolute path that is not its own': bind({ data: '/etc' }),
  'a path with a NUL': bind({ data: 'volumes/a\0b' }),
  'a link that leads out of its data folder': bind({ data: 'link' }),
  'a way up behind a folder of its own': bind({ data: 'volumes', subpath: '../../../../etc' }),
  'a device that it was not granted': bind({ device: '/dev/null' }),
  'a mount that is none of its list': bind({ mount: 7 }),
  'no mount at all': { attachment: { mounts: [] } },
  'an option that nobody knows': {
    attachment: { mounts: [{ type: 'tmpfs', source: { opaque: 'tmpfs' }, options: ['suid', 'exec=/etc'] }] },
  },
};

for (const [what, answer] of Object.entries(plans)) {
  test(`of a plan with ${what} nothing is executed; three such plans quarantine the plugin, whose containers go on`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    const name = `plan-${what
      .toLowerCase()
      .replaceAll(/[^a-z]/g, '-')
      .slice(0, 30)}-x`;
    await using plugin = await rig.install(name);
    await using container = await writer(rig.under, 'kept', plugin.driver);
    mkdirSync(plugin.dataDir, { recursive: true });
    symlinkSync('/etc', join(plugin.dataDir, 'link'));
    await plugin.create('planned');
    plugin.misbehave({ attach: { answer } });
    for (let strike = 1; strike <= 3; strike += 1) {
      const work = rig.under.run('ls /v; touch /v/was-here', { hostConfig: { Binds: ['planned:/v'] } });
      const [error] = await Promise.all([soon(work.catch((reason: unknown) => reason)), rig.othersAreWell()]);
      assert.ok(error instanceof Error, 'the container must not have started');
      assert.match(messageOf(error), new RegExp(`(plugin|driver) ${name}`));
      assert.notEqual(codeOf(error), 'deadline_exceeded');
      assert.ok(!existsSync('/etc/was-here'));
    }
    await plugin.becomes('quarantined');
    assert.match(plugin.info.error ?? '', /it broke its contract 3 times/);
    await container.isUntouched();
    rmSync(join(plugin.dataDir, 'link'));
  });
}

test('ten thousand volumes of a plugin are listed, as many as come within the time', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('many');
  plugin.misbehave({ list: { many: 10_000 } });
  const { volumes, warnings } = await soon(rig.engine.volumes.list({}));
  const { length } = volumes.filter(({ driver }) => driver === 'many');
  assert.ok(length === 10_000 || (length > 0 && /volume driver many: no answer within/.test(warnings.join('\n'))), `${length} are listed`);
  await rig.othersAreWell();
});

test('a plugin that lists slower than anybody waits is cut short with a warning; the others are listed', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('slow');
  await using _container = await writer(rig.under, 'quick', 'well');
  plugin.misbehave({ list: { many: 30, eachMs: 1_000 } });
  const { volumes, warnings } = await soon(rig.engine.volumes.list({}), 8_000);
  assert.ok(volumes.some(({ name }) => name === 'quick'));
  assert.ok(
    volumes.some(({ driver }) => driver === 'slow'),
    'what it has listed by then counts',
  );
  assert.match(warnings.join('\n'), /volume driver slow: no answer within 2000 ms/);
});

for (const dataPath of ['../../etc', '/etc', 'a\0b', '']) {
  test(`a volume whose data is said to be at ${JSON.stringify(dataPath)} is none, or shows nothing outside the plugin's folder`, async () => {
    await using plugin = await rig.install('liar');
    plugin.misbehave({ create: { answer: { volume: { name: 'lie', scope: 'local', options: {}, dataPath } } } });
    const made = await plugin.create('lie').catch((error: unknown) => error);
    if (made instanceof Error) assert.match(messageOf(made), /driver liar/);
    else assert.ok((await rig.engine.volumes.inspect('lie')).mountpoint.startsWith(`${rig.under.folder}/exec/volumes/`));
  });
}

test('an answer of more than 4 MiB through the SDK costs its caller an error, and the plugin goes on', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('long');
  plugin.misbehave({
    create: { answer: { volume: { name: 'v', scope: 'local', options: {}, status: { text: 'x'.repeat(5 << 20) } } }, once: true },
  });
  const [error] = await Promise.all([soon(plugin.create('long-one').catch((reason: unknown) => reason)), rig.othersAreWell()]);
  assert.match(messageOf(error), /driver long/);
  await plugin.create('long-two');
});

test('an error of a plugin says whose it is and keeps its code', async () => {
  await using plugin = await rig.install('thrower');
  plugin.misbehave({ create: { does: 'throw' } });
  await assert.rejects(plugin.create('none'), (error) => {
    assert.match(messageOf(error), /volume driver thrower: create: the back end said something odd/);
    return codeOf(error) === 'internal';
  });
  assert.equal(plugin.info.state, 'ready');
});
