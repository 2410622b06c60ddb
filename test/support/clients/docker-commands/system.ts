import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cases, World } from './world.ts';

const now = () => String(Date.now() / 1e3);

/** The engine as a whole, and what the CLI knows of engines. */
export const systemCases: Cases = {
  'events, system events': async (world, command) => {
    const [since, name, net] = [now(), world.name(), world.name('net')];
    await world.docker('network', 'create', net);
    await world.docker('run', '--rm', '--name', name, '--network', net, '-l', 'a=b', 'busybox', 'true');
    const told = async (...words: readonly string[]) =>
      (await world.docker(...command, '--since', since, '--until', now(), '--format', '{{.Type}} {{.Action}}', ...words)).split('\n');
    assert.deepEqual(
      (await told('--filter', `container=${name}`)).filter((line) => line.startsWith('container')),
      ['create', 'attach', 'start', 'die', 'destroy'].map((action) => `container ${action}`),
    );
    assert.deepEqual(
      await told('--filter', 'type=network'),
      ['create', 'connect', 'disconnect'].map((action) => `network ${action}`),
    );
    assert.deepEqual(await told('--filter', 'event=die', '--filter', 'label=a=b'), ['container die']);
    const lines = await world.docker(...command, '--since', since, '--until', now(), '--filter', 'event=die');
    assert.match(lines, new RegExp(`^\\S+ container die [0-9a-f]{64} \\(a=b, .*exitCode=0, image=busybox, name=${name}\\)$`));
  },
  'info, system info': async ({ docker, container }, command) => {
    await container();
    assert.equal(await docker(...command, '-f', '{{.ContainersRunning}} {{.Swarm.LocalNodeState}} {{.OSType}}'), '1 inactive linux');
    assert.match(await docker(...command), /^Client:[^]*\nServer:\n Containers: 1\n  Running: 1\n[^]*\n Storage Driver: \S+\n/m);
  },
  version: async ({ docker }, command) => {
    assert.match(await docker(...command), /^Client:[^]*\nServer:[^]*\n {2}API version: +1\.51 \(minimum version 1\.24\)\n/m);
    assert.equal(await docker(...command, '-f', '{{.Server.Os}} {{.Server.MinAPIVersion}}'), 'linux 1.24');
  },
  'system df': async ({ docker, container }, command) => {
    const name = await container(undefined, ['-v', 'measured:/data']);
    await docker('exec', name, 'sh', '-c', 'dd if=/dev/zero of=/data/file bs=1M count=3 2>/dev/null');
    assert.match(
      await docker(...command),
      /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +\d+ +1 .*\nContainers +1 +1 .*\nLocal Volumes +1 +1 +3\.1\d*MB/,
    );
    assert.match(await docker(...command, '-v'), new RegExp(`${name}[^]*\\nmeasured +1 +3\\.1\\d*MB`));
  },
  'system prune': async (world, command) => {
    const [over, net, volume] = [await world.container(['true']), world.name('net'), world.name('volume')];
    await world.docker('wait', over);
    await world.docker('network', 'create', net);
    await world.docker('volume', 'create', volume);
    const said = await world.docker(...command, '-f');
    assert.match(
      said,
      new RegExp(`^Deleted Containers:\\n[0-9a-f]{64}\\n\\nDeleted Networks:\\n${net}\\n[^]*Total reclaimed space: \\S+$`),
    );
    assert.equal(await world.docker('volume', 'ls', '-q'), volume);
    const whole = await world.docker(...command, '-f', '--volumes');
    assert.match(whole, /Total reclaimed space/);
  },
  'context create': async (world, command) => {
    const env = { DOCKER_CONFIG: world.folder() };
    const endpoint = `host=unix://${world.api.socketPath}`;
    assert.match(await world.dockerWith(env, ...command, 'ours', '--description', 'an engine', '--docker', endpoint), /^ours$/m);
    assert.match(await world.dockerWith(env, '-c', 'ours', 'run', '--rm', 'busybox', 'echo', 'by context'), /^by context$/);
  },
  'context export': async (world, command) => {
    const { env, folder } = await contextMade(world);
    await world.dockerWith(env, ...command, 'ours', join(folder, 'ours.tar'));
    await world.dockerWith(env, 'context', 'import', 'again', join(folder, 'ours.tar'));
    assert.equal(await world.dockerWith(env, '-c', 'again', 'version', '-f', '{{.Server.Os}}'), 'linux');
  },
  'context import': async (world, command) => {
    const { env, folder } = await contextMade(world);
    await world.dockerWith(env, 'context', 'export', 'ours', join(folder, 'ours.tar'));
    await world.dockerWith(env, ...command, 'second', join(folder, 'ours.tar'));
    assert.match(await world.dockerWith(env, 'context', 'inspect', 'second'), /"Name": "second"/);
  },
  'context inspect': async (world, command) => {
    const { env } = await contextMade(world);
    assert.equal(await world.dockerWith(env, ...command, '-f', '{{.Endpoints.docker.Host}}', 'ours'), `unix://${world.api.socketPath}`);
  },
  'context ls': async (world, command) => {
    const { env } = await contextMade(world);
    assert.deepEqual((await world.dockerWith(env, ...command, '-q')).split('\n').toSorted(), ['default', 'ours']);
  },
  'context rm': async (world, command) => {
    const { env } = await contextMade(world);
    assert.equal(await world.dockerWith(env, ...command, 'ours'), 'ours');
    assert.equal(await world.dockerWith(env, 'context', 'ls', '-q'), 'default');
  },
  'context show': async (world, command) => {
    const { env } = await contextMade(world);
    assert.equal(await world.dockerWith(env, ...command), 'default');
  },
  'context update': async (world, command) => {
    const { env } = await contextMade(world, '/nowhere.sock');
    await world.dockerWith(env, ...command, 'ours', '--docker', `host=unix://${world.api.socketPath}`);
    assert.equal(await world.dockerWith(env, '-c', 'ours', 'version', '-f', '{{.Server.Os}}'), 'linux');
  },
  'context use': async (world, command) => {
    const { env } = await contextMade(world);
    await world.dockerWith(env, ...command, 'ours');
    assert.equal(await world.dockerWith(env, 'context', 'show'), 'ours');
    const name = await world.container();
    assert.match(await world.dockerWith(env, 'ps', '--format', '{{.Names}}'), new RegExp(`^${name}$`));
  },
};

async function contextMade(world: World, socketPath = world.api.socketPath) {
  const folder = world.folder();
  const env = { DOCKER_CONFIG: folder };
  writeFileSync(join(folder, 'config.json'), '{}');
  await world.dockerWith(env, 'context', 'create', 'ours', '--docker', `host=unix://${socketPath}`);
  return { env, folder };
}
