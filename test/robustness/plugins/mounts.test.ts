import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { codeOf, messageOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type FaultPlugin, Rig, soon, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({
    pluginPolicy: { backOffMs: [50, 200], strikeBudget: { count: 3, withinMs: 300_000 }, quarantineMs: [600_000] },
  });
  await using plugin = await rig.install('first');
  await plugin.create('first-volume');
});
after(() => rig[Symbol.asyncDispose]());

const folderOf = ({ dataDir }: FaultPlugin, path: string): string => join(dataDir, 'volumes', path);
const uses = (volume: string, script = 'true') => rig.under.run(script, { hostConfig: { Binds: [`${volume}:/v`] } });
const bind = (data: string, more: object = {}): object => ({ type: 'bind', source: { data }, ...more });
const tmpfs = (target: string | undefined, ...options: readonly string[]): object => ({
  type: 'tmpfs',
  source: { opaque: 'tmpfs' },
  options,
  ...(target !== undefined && { target }),
});

function mountsOfVolumes(): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/exec/volumes/'));
}

interface Failing {
  /** The last of these cannot be made. */
  readonly mounts: readonly object[];
  readonly message: RegExp;
  readonly hint?: RegExp;
}
const failing: Readonly<Record<string, Failing>> = {
  'a folder that is not there': {
    mounts: [bind('volumes/vol'), tmpfs('a', 'size=1m'), bind('volumes/missing', { target: 'b' })],
    message: /ENOENT: no such file or directory/,
  },
  'a place that is not there': {
    mounts: [bind('volumes/vol'), tmpfs('a'), tmpfs('nowhere')],
    message: /ENOENT: no such file or directory/,
  },
  'an option that the kernel refuses': {
    mounts: [bind('volumes/vol'), tmpfs('a'), tmpfs('b', 'size=nonsense')],
    message: /EINVAL: invalid argument/,
    hint: /dmesg/,
  },
};

for (const [what, { mounts, message, hint }] of Object.entries(failing)) {
  test(`of mounts of which the last is of ${what} none is left; the error has the reason and the plugin no strike`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    const name = `mounts-${what.replaceAll(/[^a-z]/g, '-')}`;
    await using plugin = await rig.install(name);
    await using container = await writer(rig.under, 'kept', plugin.driver);
    await plugin.create('vol');
    for (const folder of ['vol/a', 'vol/b']) mkdirSync(folderOf(plugin, folder));
    const mountsBefore = mountsOfVolumes();
    const detached = (): number => plugin.calls().filter((call) => call === 'detach').length;
    const earlier = detached();
    plugin.misbehave({ attach: { answer: { attachment: { mounts } } } });
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await assert.rejects(soon(uses('vol')), (error) => {
        assert.match(messageOf(error), message);
        assert.match(messageOf(error), new RegExp(`plugin ${name}`));
        if (hint !== undefined) assert.match(String(Reflect.get(error as object, 'hint')), hint);
        assert.notEqual(codeOf(error), 'not_found', 'what the caller named is there');
        return true;
      });
      assert.deepEqual(mountsOfVolumes(), mountsBefore);
    }
    assert.equal(detached() - earlier, 4, 'the driver is told each time');
    assert.doesNotMatch(plugin.info.output.join('\n'), /strike/);
    plugin.misbehave({});
    await uses('vol');
    await container.isUntouched();
  });
}

test('a plugin that dies while what it described is mounted costs nothing: the container starts', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('dies');
  await plugin.create('vol');
  mkdirSync(folderOf(plugin, 'vol/a'));
  const { generation = 0 } = plugin.info;
  const answer = { attachment: { mounts: [bind('volumes/vol'), tmpfs('a', 'size=1m')] } };
  plugin.misbehave({ attach: { answer, does: 'kill', when: 'answered' } });
  const { stdout } = await soon(uses('vol', 'grep -c " /v" /proc/mounts'));
  assert.equal(stdout.trim(), '2');
  plugin.misbehave({});
  await plugin.comesBack(generation);
});

test('a part of a mount that an engine was at when it died is not taken for the whole', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('half');
  await plugin.create('vol');
  mkdirSync(folderOf(plugin, 'vol/a'));
  await using container = await rig.under.created('grep -c " /v" /proc/mounts', { hostConfig: { Binds: ['vol:/v'] } });
  plugin.misbehave({ attach: { answer: { attachment: { mounts: [bind('volumes/vol'), tmpfs('a')], shareable: true } } } });
  // What such an engine leaves: the first mount of two, and no record of it.
  const [sample] = await placesWhileUsed('vol');
  assert.ok(sample !== undefined);
  mkdirSync(sample, { recursive: true });
  execFileSync('mount', ['--bind', folderOf(plugin, 'vol'), sample]);
  const { containers } = rig.engine;
  const { result } = containers.wait(container.id, 'next-exit');
  await containers.start(container.id);
  await result;
  const { lines } = await containers.logs(container.id, { stdout: true, stderr: true });
  const said = (await Array.fromAsync(lines)).flat().map(({ data }) => data.toString().trim());
  assert.deepEqual(said, ['2']);
});

/** Where the engine mounts the volume. */
async function placesWhileUsed(volume: string): Promise<readonly string[]> {
  await using _used = await rig.under.sleeping({ hostConfig: { Binds: [`${volume}:/v`] } });
  return globSync(`${rig.under.folder}/exec/volumes/*`).filter((path) => mountsOfVolumes().some((line) => line.includes(` ${path} `)));
}

test('a volume that its plugin says it has, and has not, is found out when it is used: the plugin is degraded until it is there', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('lies');
  await using container = await writer(rig.under, 'kept', plugin.driver);
  const volume = { name: 'nothing', scope: 'local', options: {} };
  plugin.misbehave({ create: { answer: { volume } }, reconcile: { does: 'lie' } });
  await plugin.create('nothing');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await assert.rejects(soon(uses('nothing')), (error) => codeOf(error) === 'internal' && /plugin lies: .*ENOENT/.test(messageOf(error)));
    const { state, error = '', missing = [] } = plugin.info;
    assert.deepEqual([state, error], ['degraded', 'volume nothing is missing']);
    assert.deepEqual(
      missing.map(({ kind, id, driver }) => [kind, id, driver]),
      [['volume', 'nothing', 'volume/lies']],
    );
    assert.match(missing[0]?.detail ?? '', /ENOENT/);
  }
  await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  mkdirSync(folderOf(plugin, 'nothing'));
  await uses('nothing');
  assert.deepEqual([plugin.info.state, plugin.info.missing], ['ready', undefined]);
  rmSync(folderOf(plugin, 'nothing'), { recursive: true });
  await assert.rejects(uses('nothing'), /ENOENT/);
  await rig.engine.volumes.remove('nothing', { force: false });
  assert.deepEqual([plugin.info.state, plugin.info.missing], ['ready', undefined], 'what nobody believes in any more is not missed');
});

test('a volume that is a file, not a folder, is no volume', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('files');
  await plugin.create('vol');
  writeFileSync(folderOf(plugin, 'file'), '');
  for (const more of [{}, { readOnly: true }]) {
    plugin.misbehave({ attach: { answer: { attachment: { mounts: [bind('volumes/file', more)] } } } });
    await assert.rejects(uses('vol'), /plugin files.*(ENOTDIR: not a directory|EINVAL: invalid argument)/);
    assert.match(plugin.info.error ?? '', /volume vol is missing/);
  }
  rmSync(folderOf(plugin, 'file'));
});
