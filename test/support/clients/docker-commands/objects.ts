import assert from 'node:assert/strict';
import type { Cases } from './world.ts';

/** Networks and volumes. */
export const objectCases: Cases = {
  'network create': async (world, command) => {
    const name = world.name('net');
    const flags = [
      '--subnet',
      '10.78.1.0/24',
      '--gateway',
      '10.78.1.254',
      '--internal',
      '--label',
      'a=b',
      '-o',
      'com.docker.network.driver.mtu=1400',
    ];
    assert.match(await world.docker(...command, ...flags, name), /^[0-9a-f]{64}$/);
    const format = '{{.Name}} {{.Driver}} {{.Internal}} {{(index .IPAM.Config 0).Gateway}} {{.Labels.a}}';
    assert.equal(await world.docker('network', 'inspect', '-f', format, name), `${name} bridge true 10.78.1.254 b`);
    const run = ['run', '--rm', '--network', name, 'busybox'];
    assert.equal(await world.docker(...run, 'cat', '/sys/class/net/eth0/mtu'), '1400');
    assert.match(await world.refused(...command, name), /already exists/);
    assert.match(await world.refused(...command, '--subnet', 'nope', 'x'), /invalid/);
  },
  'network connect': async (world, command) => {
    const [net, name, peer] = [world.name('net'), await world.container(undefined, []), world.name()];
    await world.docker('network', 'create', '--subnet', '10.78.2.0/24', net);
    await world.docker(...command, '--ip', '10.78.2.9', '--alias', 'nick', net, name);
    assert.equal(await world.inspect(name, `{{(index .NetworkSettings.Networks "${net}").IPAddress}}`), '10.78.2.9');
    assert.match(await world.docker('run', '--rm', '--name', peer, '--network', net, 'busybox', 'nslookup', 'nick'), /10\.78\.2\.9/);
    assert.match(await world.refused(...command, net, name), /already (exists|connected|attached)/);
  },
  'network disconnect': async (world, command) => {
    const [net, name] = [world.name('net'), await world.container(undefined, [])];
    await world.docker('network', 'create', net);
    await world.docker('network', 'connect', net, name);
    assert.match(await world.docker('exec', name, 'ls', '/sys/class/net'), /eth1/);
    await world.docker(...command, net, name);
    assert.doesNotMatch(await world.docker('exec', name, 'ls', '/sys/class/net'), /eth1/);
    assert.match(await world.refused(...command, net, name), /is not connected/);
  },
  'network inspect': async ({ docker, refused, container }, command) => {
    const name = await container(undefined, []);
    assert.equal(await docker(...command, '-f', '{{range .Containers}}{{.Name}}{{end}}', 'bridge'), name);
    assert.match(await refused(...command, 'nope'), /network nope not found/);
  },
  'network ls': async (world, command) => {
    const name = world.name('net');
    await world.docker('network', 'create', '--label', 'a=b', name);
    assert.match(await world.docker(...command), /^NETWORK ID +NAME +DRIVER +SCOPE\n/);
    assert.deepEqual((await world.docker(...command, '--format', '{{.Name}} {{.Driver}} {{.Scope}}')).split('\n').toSorted(), [
      'bridge bridge local',
      'host host local',
      `${name} bridge local`,
      'none null local',
    ]);
    assert.equal(await world.docker(...command, '--filter', 'label=a=b', '--format', '{{.Name}}'), name);
    assert.match(await world.docker(...command, '-q', '--no-trunc', '--filter', `name=${name}`), /^[0-9a-f]{64}$/);
  },
  'network prune': async (world, command) => {
    const [name, used] = [world.name('net'), world.name('net')];
    for (const each of [name, used]) await world.docker('network', 'create', each);
    await world.container(undefined, ['--network', used]);
    assert.equal(await world.docker(...command, '-f'), `Deleted Networks:\n${name}`);
    assert.equal(await world.docker('network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}'), used);
  },
  'network rm': async (world, command) => {
    const name = world.name('net');
    await world.docker('network', 'create', name);
    const user = await world.container(undefined, ['--network', name]);
    assert.match(await world.refused(...command, name), /has active endpoints/);
    await world.docker('rm', '-f', user);
    assert.equal(await world.docker(...command, name), name);
    assert.match(await world.refused(...command, name), /not found/);
    assert.match(await world.refused(...command, 'bridge'), /pre-defined network and cannot be removed/);
  },
  'volume create': async (world, command) => {
    const name = world.name('volume');
    assert.equal(await world.docker(...command, '--label', 'a=b', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m', name), name);
    assert.equal(
      await world.docker('run', '--rm', '-v', `${name}:/data`, 'busybox', 'sh', '-c', 'grep " /data " /proc/mounts | grep -o size=1024k'),
      'size=1024k',
    );
    assert.match(await world.docker(...command), /^[0-9a-f]{64}$/);
    assert.match(await world.refused(...command, '-d', 'nope', 'other'), /nope/);
  },
  'volume inspect': async (world, command) => {
    const name = world.name('volume');
    await world.docker('volume', 'create', '--label', 'a=b', name);
    assert.equal(await world.docker(...command, '-f', '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels.a}}', name), `${name} local local b`);
    assert.match(await world.refused(...command, 'nope'), /no such volume/);
  },
  'volume ls': async (world, command) => {
    const [name, used] = [world.name('volume'), world.name('volume')];
    for (const each of [name, used]) await world.docker('volume', 'create', '--label', `of=${each}`, each);
    await world.container(undefined, ['-v', `${used}:/data`]);
    assert.match(await world.docker(...command), /^DRIVER +VOLUME NAME\n/);
    assert.equal(await world.docker(...command, '-q', '--filter', `label=of=${name}`), name);
    assert.equal(await world.docker(...command, '--filter', 'dangling=false', '--format', '{{.Name}} {{.Driver}}'), `${used} local`);
  },
  'volume prune': async (world, command) => {
    const [name, used] = [world.name('volume'), world.name('volume')];
    for (const each of [name, used]) await world.docker('volume', 'create', each);
    await world.container(undefined, ['-v', `${used}:/data`]);
    assert.match(await world.docker(...command, '-f'), /^Total reclaimed space: 0B$/);
    assert.match(await world.docker(...command, '-af'), new RegExp(`^Deleted Volumes:\\n${name}\\n\\nTotal reclaimed space: `));
    assert.equal(await world.docker('volume', 'ls', '-q'), used);
  },
  'volume rm': async (world, command) => {
    const name = world.name('volume');
    await world.docker('volume', 'create', name);
    const user = await world.container(undefined, ['-v', `${name}:/data`]);
    assert.match(await world.refused(...command, name), /volume is in use/);
    await world.docker('rm', '-f', user);
    assert.equal(await world.docker(...command, name), name);
    assert.match(await world.refused(...command, name), /no such volume/);
    await world.docker(...command, '-f', name);
  },
};
