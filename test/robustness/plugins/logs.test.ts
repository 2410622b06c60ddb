import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type FaultPlugin, Rig, soon, until } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({ pluginPolicy: { backOffMs: [50, 200], crashBudget: { count: 100, withinMs: 300_000 }, waitMs: 500 } });
  await using _plugin = await rig.install('first', { kinds: ['volume', 'log'] });
});
after(() => rig[Symbol.asyncDispose]());

/** A container that counts on its stdout, by this log driver, and into a file, so that it is seen when somebody keeps it waiting. */
async function counter({ driver }: FaultPlugin) {
  const script = 'i=0; while :; do i=$((i+1)); echo "line $i"; echo $i > /tmp/count; usleep 5000; done';
  const id = await rig.under.create(script, { hostConfig: { LogConfig: { Type: driver, Config: {} } } });
  const { containers } = rig.engine;
  await containers.start(id);
  const { pid } = containers.inspect(id).state;
  const count = (): number => {
    const file = `/proc/${pid}/root/tmp/count`;
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  };
  return {
    id,
    /** The same process goes on counting. */
    async isUntouched(): Promise<void> {
      const { state } = containers.inspect(id);
      assert.deepEqual([state.running, state.pid], [true, pid]);
      const begin = count();
      await until(
        () => count() > begin + 20,
        5_000,
        () => 'it does not count any more',
      );
    },
    [Symbol.asyncDispose]: () => containers.remove(id, { force: true, volumes: true }),
  };
}

/** What docker logs shows. */
async function shown(id: string): Promise<readonly string[]> {
  const { lines } = await rig.engine.containers.logs(id, { stdout: true, stderr: true });
  return (await Array.fromAsync(lines)).flat().map(({ data }) => data.toString().trimEnd());
}

/** What the driver has taken: number in the stream, and text. */
function taken({ dataDir }: FaultPlugin): readonly { readonly seq: number; readonly text: string }[] {
  const file = join(dataDir, 'lines');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => {
    const [, seq = '', text = ''] = /^\S+ (\d+) (.*)$/.exec(line) ?? [];
    return { seq: Number(seq), text };
  });
}

/** Every line is there; some may be there twice, each under the same number. */
function noneIsLost(plugin: FaultPlugin): number {
  const bySeq = new Map<number, string>();
  for (const { seq, text } of taken(plugin)) {
    assert.ok(bySeq.get(seq) === undefined || bySeq.get(seq) === text, `entry ${seq} is "${bySeq.get(seq)}" and "${text}"`);
    bySeq.set(seq, text);
  }
  const last = Math.max(0, ...bySeq.keys());
  for (let seq = 1; seq <= last; seq += 1) assert.equal(bySeq.get(seq), `line ${seq}`);
  return last;
}

for (const when of ['before', 'after'] as const) {
  test(`a log plugin that dies ${when} it wrote what it was given gets it again from the last that it acknowledged; its container never waits`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`dies-${when}`, { kinds: ['volume', 'log'] });
    await using container = await counter(plugin);
    for (let crash = 0; crash < 4; crash += 1) {
      const had = noneIsLost(plugin);
      await until(
        () => noneIsLost(plugin) > had,
        15_000,
        () => `nothing came after ${had}`,
      );
      const { generation = 0 } = plugin.info;
      plugin.misbehave({ 'log.write': { does: 'kill', once: true, ...(when === 'after' && { when }) } });
      await Promise.all([plugin.comesBack(generation), container.isUntouched(), rig.othersAreWell()]);
    }
    const had = noneIsLost(plugin);
    await until(
      () => noneIsLost(plugin) > had + 20,
      20_000,
      () => `nothing came after ${had}`,
    );
    assert.match(plugin.info.output.join('\n'), /ended: it was ended by SIGKILL/);
  });
}

test('while a log plugin is disabled its container goes on and docker logs shows all of it; enabled again, the plugin gets what it missed', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('away', { kinds: ['volume', 'log'] });
  await using container = await counter(plugin);
  await until(
    () => noneIsLost(plugin) > 5,
    15_000,
    () => 'nothing came',
  );
  const { plugins } = rig.engine;
  await plugins.disable('away');
  const had = noneIsLost(plugin);
  await container.isUntouched();
  const lines = await soon(shown(container.id));
  assert.ok(lines.length > had + 20, `${lines.length} lines, ${had} of them before`);
  assert.deepEqual(
    lines,
    lines.map((_, index) => `line ${index + 1}`),
  );
  await plugins.enable('away');
  await until(
    () => noneIsLost(plugin) >= lines.length,
    45_000,
    () => `only ${noneIsLost(plugin)} of ${lines.length} came`,
  );
  await container.isUntouched();
});

test('a container whose log plugin hangs is stopped and removed within the time that it has, and the plugin is told of no other', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('hangs', { kinds: ['volume', 'log'] });
  await using container = await counter(plugin);
  plugin.misbehave({ 'log.write': { does: 'hang' } });
  await container.isUntouched();
  const { containers } = rig.engine;
  await soon(containers.stop(container.id, { timeoutSeconds: 0 }), 12_000);
  assert.equal(containers.inspect(container.id).state.running, false);
});

test('a container whose log plugin is disabled is removed all the same', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('gone', { kinds: ['volume', 'log'] });
  const container = await counter(plugin);
  await rig.engine.plugins.disable('gone', { force: true });
  await soon(container[Symbol.asyncDispose]());
  assert.throws(() => rig.engine.containers.inspect(container.id));
  assert.ok(statSync(plugin.dataDir).isDirectory());
});
