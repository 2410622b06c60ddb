import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMountPoint, Rtnetlink, umount2, unmountFlags } from '@gantry/sdk/linux';
import { decodeEntries, encodeEntry } from '@gantry/sdk/legacy/wire';
import { ask, call, kill, startServed } from '../../support/clients/docker-protocol.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { everyKind, serveForDocker } from '../../support/plugins/served-for-docker.ts';

inNamespaces(import.meta.url);
leakGuard();

const folder = mkdtempSync(join(tmpdir(), 'served-'));
test.after(() => rmSync(folder, { recursive: true }));
let made = 0;
const places = () => {
  const root = join(folder, `${(made += 1)}`);
  return { dir: everyKind, root, socketPath: join(folder, `${made}.sock`) };
};

test('serveDocker() speaks as Docker expects: handshake, missing methods, words for failures', async () => {
  const at = places();
  await using _serving = await serveForDocker(at);
  assert.deepEqual(await call(at.socketPath, 'Plugin.Activate'), {
    Implements: ['VolumeDriver', 'LogDriver', 'NetworkDriver', 'IpamDriver', 'authz'],
  });
  assert.deepEqual(await ask(at.socketPath, 'VolumeDriver.Nope'), { status: 404, answer: { text: '404 page not found\n' } });
  assert.deepEqual(await ask(at.socketPath, 'constructor'), { status: 404, answer: { text: '404 page not found\n' } });
  const cases: readonly (readonly [method: string, body: unknown, status: number, words: RegExp])[] = [
    ['VolumeDriver.Create', '{', 500, /no JSON/],
    ['VolumeDriver.Create', '[]', 500, /no JSON object/],
    ['VolumeDriver.Create', {}, 500, /Name is missing/],
    ['VolumeDriver.Create', { Name: 7 }, 500, /Name must be a text/],
    ['VolumeDriver.Create', { Name: '../x' }, 500, /volume name "\.\.\/x"/],
    ['VolumeDriver.Create', { Name: 'v', Opts: { kind: 'nope' } }, 500, /must be one of/],
    ['VolumeDriver.Mount', { Name: 'unknown', ID: 'a' }, 500, /unknown not found/],
    ['VolumeDriver.Create', { Name: 'x'.repeat(5 * 2 ** 20) }, 500, /at most 4194304/],
    ['LogDriver.StartLogging', { File: 'relative', Info: { ContainerID: 'c' } }, 500, /no absolute path/],
    ['LogDriver.StartLogging', { File: '/dev/null', Info: { ContainerID: '../c' } }, 500, /ContainerID/],
    ['LogDriver.StartLogging', { File: '/dev/null', Info: { ContainerID: 'c' } }, 500, /no pipe/],
    ['NetworkDriver.CreateEndpoint', { NetworkID: 'none', EndpointID: 'e' }, 500, /network none not found/],
    ['IpamDriver.RequestPool', { Pool: 'everything' }, 500, /no prefix/],
  ];
  for (const [method, body, status, words] of cases) {
    const { status: seen, answer } = await ask(at.socketPath, method, body);
    assert.equal(seen, status, method);
    assert.match(String(answer['Err']), words, method);
  }
  assert.equal((await ask(at.socketPath, 'VolumeDriver.List', '', 'GET')).status, 405);
  assert.deepEqual(await call(at.socketPath, 'VolumeDriver.List'), { Volumes: [] });
});

test('serveDocker() mounts once for all ids, and unmounts after the last', async () => {
  const at = places();
  await using _serving = await serveForDocker(at);
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { kind: 'memory' } });
  const ids = ['a', 'b', 'a'];
  const found = await Promise.all(ids.map((ID) => call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID })));
  const path = join(at.root, 'volumes/v');
  assert.deepEqual(
    found,
    ids.map(() => ({ Mountpoint: path })),
  );
  assert.deepEqual(await call(at.socketPath, 'VolumeDriver.Path', { Name: 'v' }), { Mountpoint: path });
  writeFileSync(join(path, 'x'), 'kept');
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'a' });
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'a' });
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'never' });
  assert.equal(readFileSync(join(path, 'x'), 'utf8'), 'kept');
  assert.match(String((await ask(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' })).answer['Err']), /in use/);
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'v', ID: 'b' });
  assert.equal(existsSync(path), false);
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
  assert.deepEqual(
    [readdirSync(join(at.root, 'data')), JSON.parse(readFileSync(join(at.root, 'front.json'), 'utf8'))],
    [[], { version: 1, entries: [] }],
  );
});

test('serveDocker() takes the word of the one engine that uses it for what may be removed', async () => {
  const at = places();
  await using _serving = await serveForDocker({ ...at, isExclusive: true });
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { kind: 'memory' } });
  for (const ID of ['a', 'b']) await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID });
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
  assert.deepEqual([await call(at.socketPath, 'VolumeDriver.List'), readdirSync(join(at.root, 'volumes'))], [{ Volumes: [] }, []]);
});

test('serveDocker() leaves nothing of a mount that fails, and says why', async () => {
  const at = places();
  await using _serving = await serveForDocker(at);
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { kind: 'bad' } });
  const { status, answer } = await ask(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' });
  assert.deepEqual([status, /plugin every: .*\/nowhere.*ENOENT/.test(String(answer['Err']))], [500, true], JSON.stringify(answer));
  assert.deepEqual(readdirSync(join(at.root, 'volumes')), []);
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
});

test('another process takes over what a killed one mounted, and undoes what nobody has a record of', async () => {
  const at = places();
  const first = await startServed(at);
  for (const Name of ['kept', 'gone']) {
    await call(at.socketPath, 'VolumeDriver.Create', { Name, Opts: { kind: 'memory' } });
    await call(at.socketPath, 'VolumeDriver.Mount', { Name, ID: 'a' });
  }
  writeFileSync(join(at.root, 'volumes/kept/x'), 'kept');
  await kill(first, 'SIGKILL');
  // As after a reboot, and as after a crash in the middle.
  umount2(join(at.root, 'volumes/gone'), unmountFlags.detach);
  mkdirSync(join(at.root, 'volumes/half'));
  execFileSync('mount', ['-t', 'tmpfs', 'half', join(at.root, 'volumes/half')]);
  const second = await startServed(at);
  assert.deepEqual(readdirSync(join(at.root, 'volumes')), ['kept']);
  assert.equal(readFileSync(join(at.root, 'volumes/kept/x'), 'utf8'), 'kept');
  assert.deepEqual(await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'kept', ID: 'a' }), {
    Mountpoint: join(at.root, 'volumes/kept'),
  });
  await call(at.socketPath, 'VolumeDriver.Unmount', { Name: 'kept', ID: 'a' });
  for (const Name of ['kept', 'gone']) await call(at.socketPath, 'VolumeDriver.Remove', { Name });
  assert.deepEqual(readdirSync(join(at.root, 'volumes')), []);
  await kill(second, 'SIGTERM');
  assert.equal(existsSync(at.socketPath), false);
});

test('a mount of which the record says no end is undone by the next process', async () => {
  const at = places();
  const first = await startServed(at);
  await call(at.socketPath, 'VolumeDriver.Create', { Name: 'v', Opts: { kind: 'memory' } });
  await call(at.socketPath, 'VolumeDriver.Mount', { Name: 'v', ID: 'a' });
  await kill(first, 'SIGKILL');
  const file = join(at.root, 'front.json');
  // Killed after the mount and before the answer.
  writeFileSync(file, readFileSync(file, 'utf8').replace(/,\\"path\\":\\"[^"]+\\",\\"isMounted\\":true/, ''));
  const second = await startServed(at);
  assert.equal(existsSync(join(at.root, 'volumes/v')), false);
  await call(at.socketPath, 'VolumeDriver.Remove', { Name: 'v' });
  await kill(second, 'SIGTERM');
});

test('serveDocker() takes the place of a dead process, and of no other', async () => {
  const at = places();
  const first = await startServed(at);
  await assert.rejects(serveForDocker(at), { code: 'conflict', message: /somebody listens/ });
  await kill(first, 'SIGKILL');
  await using _second = await serveForDocker(at);
  const file = join(folder, 'file.sock');
  writeFileSync(file, '');
  await assert.rejects(serveForDocker({ ...at, socketPath: file }), { code: 'conflict', message: /is no socket/ });
  await assert.rejects(serveForDocker({ ...at, socketPath: `/tmp/${'x'.repeat(110)}` }), {
    code: 'invalid_argument',
    message: /107 bytes/,
  });
});

test('a plugin that lacks a setting answers each call with what to do, and Plugin.Activate as ever', async () => {
  const at = places();
  const dir = join(folder, 'needy');
  mkdirSync(dir);
  writeFileSync(
    join(dir, 'main.ts'),
    `import { t, volume } from '@gantry/sdk/author';
export default volume({ name: 'needy', settings: t.Object({ url: t.String() }), attach: () => [] });`,
  );
  const manifest = {
    manifestVersion: 1,
    name: 'needy',
    version: '1.0.0',
    provides: [{ contract: 'volume', versions: ['v1'], drivers: ['needy'] }],
  };
  const settings = { type: 'object', properties: { url: { type: 'string', minLength: 1 } }, required: ['url'] };
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify({ ...manifest, entry: { node: 'main.ts' }, settings }));
  {
    await using _serving = await serveForDocker({ ...at, dir });
    assert.deepEqual(await call(at.socketPath, 'Plugin.Activate'), { Implements: ['VolumeDriver'] });
    assert.match(
      String((await ask(at.socketPath, 'VolumeDriver.List')).answer['Err']),
      /setting url is missing.*docker plugin set PLUGIN url=/,
    );
  }
  await using _serving = await serveForDocker({ ...at, dir, settings: { url: 'http://127.0.0.1' } });
  assert.deepEqual(await call(at.socketPath, 'VolumeDriver.List'), { Volumes: [] });
});

test('a log goes on after the plugin was killed, and StopLogging waits for what was written', async () => {
  const at = places();
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const Info = { ContainerID: 'c1', ContainerName: '/web', Config: {}, ContainerArgs: null, ContainerCreated: '2026-01-01T00:00:00Z' };
  const frame = (line: string) =>
    encodeEntry({ time: { seconds: 1, nanos: 2 }, source: 'stdout', line: Buffer.from(line), partial: false }, undefined);
  const first = await startServed(at);
  await call(at.socketPath, 'LogDriver.StartLogging', { File: pipe, Info });
  await call(at.socketPath, 'LogDriver.StartLogging', { File: pipe, Info });
  const writer = spawn('sh', ['-c', `cat > ${pipe}`], { stdio: ['pipe', 'inherit', 'inherit'] });
  writer.stdin.write(frame('one'));
  const stored = join(at.root, 'data/c1.log');
  while (!existsSync(stored)) await sleep(5);
  await kill(first, 'SIGKILL');
  const second = await startServed(at);
  for (let index = 0; index < 2_000; index += 1) writer.stdin.write(frame(`line ${index}`));
  writer.stdin.end();
  await once(writer, 'exit');
  await call(at.socketPath, 'LogDriver.StopLogging', { File: pipe });
  await call(at.socketPath, 'LogDriver.StopLogging', { File: pipe });
  const reading = request({ socketPath: at.socketPath, path: '/LogDriver.ReadLogs', method: 'POST' });
  reading.end(JSON.stringify({ Info, Config: { Since: '0001-01-01T00:00:00Z', Tail: -1, Follow: false } }));
  const [response] = await once(reading, 'response');
  const lines = (await Array.fromAsync(decodeEntries(response))).flat().map(({ line }) => line.toString());
  assert.deepEqual(lines, ['one', ...Array.from({ length: 2_000 }, (_, index) => `line ${index}`)]);
  await kill(second, 'SIGTERM');
  rmSync(pipe);
});

test('networks are made and undone by what the driver planned, and made again after a reboot', async () => {
  const at = places();
  using kernel = Rtnetlink.open();
  const links = () =>
    kernel
      .linkList()
      .flatMap(({ name, alias }) => (alias?.startsWith('gantry-docker:') === true ? [name] : []))
      .toSorted();
  const network = {
    NetworkID: 'f'.repeat(64),
    Options: { 'com.docker.network.generic': {} },
    IPv4Data: [{ Pool: '10.9.0.0/24', Gateway: '10.9.0.1/24' }],
    IPv6Data: [],
  };
  const endpoint = { NetworkID: network.NetworkID, EndpointID: 'e'.repeat(64) };
  const bridge = `ev-${'f'.repeat(12)}`;
  {
    await using _serving = await serveForDocker(at);
    await call(at.socketPath, 'NetworkDriver.CreateNetwork', network);
    assert.deepEqual(links(), [bridge]);
    assert.match(
      execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }),
      /ip saddr 10\.9\.0\.0\/24 oifname != "ev-f{12}" masquerade/,
    );
    const asked = { Address: '10.9.0.2/24', AddressIPv6: '', MacAddress: '' };
    assert.deepEqual(await call(at.socketPath, 'NetworkDriver.CreateEndpoint', { ...endpoint, Interface: asked }), { Interface: {} });
    const joined = await call(at.socketPath, 'NetworkDriver.Join', { ...endpoint, SandboxKey: '/x' });
    assert.deepEqual(joined, {
      InterfaceName: { SrcName: `gc${'e'.repeat(11)}`, DstPrefix: 'eth' },
      Gateway: '10.9.0.1',
      StaticRoutes: [],
      DisableGatewayService: false,
    });
    assert.deepEqual(await call(at.socketPath, 'NetworkDriver.Join', { ...endpoint, SandboxKey: '/x' }), joined);
    const published = (...ports: readonly object[]) => ({ ...endpoint, Options: { 'com.docker.network.portmap': ports } });
    const rules = () => execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
    const wishes = [
      { Proto: 6, Port: 80, HostIP: '0.0.0.0', HostPort: 8080, HostPortEnd: 8080 },
      { Proto: 17, Port: 53, HostIP: '127.0.0.1', HostPort: 5353 },
    ];
    for (let time = 0; time < 2; time += 1) await call(at.socketPath, 'NetworkDriver.ProgramExternalConnectivity', published(...wishes));
    assert.match(rules(), /fib daddr type local tcp dport 8080 dnat ip to 10\.9\.0\.2:80/);
    assert.match(rules(), /ip daddr 127\.0\.0\.1 udp dport 5353 dnat ip to 10\.9\.0\.2:53/);
    await call(at.socketPath, 'NetworkDriver.RevokeExternalConnectivity', endpoint);
    assert.doesNotMatch(rules(), /dnat/);
    await using busy = createServer().listen(8081, '127.0.0.1');
    await once(busy, 'listening');
    for (const [wish, message] of [
      [{ Proto: 6, Port: 80, HostPort: 0 }, /say which|without one port of the machine/],
      [{ Proto: 6, Port: 80, HostPort: 8000, HostPortEnd: 8010 }, /without one port of the machine/],
      [{ Proto: 1, Port: 80, HostPort: 8080 }, /protocol 1 cannot be published/],
      [{ Proto: 6, Port: 80, HostPort: 8080, HostIP: '1.2.3.4; flush' }, /is no address/],
      [{ Proto: 6, Port: 80, HostPort: 8081, HostIP: '127.0.0.1' }, /port 8081\/tcp of the machine is in use/],
    ] as const)
      assert.match(String((await ask(at.socketPath, 'NetworkDriver.ProgramExternalConnectivity', published(wish))).answer['Err']), message);
    assert.doesNotMatch(rules(), /dnat/);
    await call(at.socketPath, 'NetworkDriver.ProgramExternalConnectivity', published(...wishes));
    await call(at.socketPath, 'NetworkDriver.Leave', endpoint);
    await call(at.socketPath, 'NetworkDriver.DeleteEndpoint', endpoint);
    await call(at.socketPath, 'NetworkDriver.DeleteEndpoint', endpoint);
    assert.deepEqual(links(), [bridge]);
    assert.doesNotMatch(rules(), /dnat/);
  }
  kernel.linkDelete(bridge);
  await using _again = await serveForDocker(at);
  assert.deepEqual(links(), [bridge]);
  await call(at.socketPath, 'NetworkDriver.DeleteNetwork', { NetworkID: network.NetworkID });
  assert.deepEqual(links(), []);
  assert.doesNotMatch(execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }), /gantry_/);
});

test('who asks a published port of the machine reaches the container, from the machine itself too', async () => {
  const at = places();
  await using _serving = await serveForDocker(at);
  const network = { NetworkID: 'd'.repeat(64), Options: {}, IPv4Data: [{ Pool: '10.8.0.0/24', Gateway: '10.8.0.1/24' }], IPv6Data: [] };
  const endpoint = { NetworkID: network.NetworkID, EndpointID: 'c'.repeat(64) };
  const ip = (...words: readonly string[]) => execFileSync('ip', words, { encoding: 'utf8' });
  await call(at.socketPath, 'NetworkDriver.CreateNetwork', network);
  await call(at.socketPath, 'NetworkDriver.CreateEndpoint', { ...endpoint, Interface: { Address: '10.8.0.2/24' } });
  const { InterfaceName } = await call(at.socketPath, 'NetworkDriver.Join', { ...endpoint, SandboxKey: '/x' });
  const { SrcName } = InterfaceName as { readonly SrcName: string };
  // What Docker does with it.
  ip('netns', 'add', 'published');
  ip('link', 'set', SrcName, 'netns', 'published');
  ip('-n', 'published', 'address', 'add', '10.8.0.2/24', 'dev', SrcName);
  ip('-n', 'published', 'link', 'set', SrcName, 'up');
  ip('-n', 'published', 'route', 'add', 'default', 'via', '10.8.0.1');
  const web = spawn('ip', ['netns', 'exec', 'published', 'busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', 'reached'], {
    stdio: 'inherit',
  });
  const ports = [{ Proto: 6, Port: 80, HostIP: '', HostPort: 8088, HostPortEnd: 8088 }];
  const Options = { 'com.docker.network.portmap': ports };
  await call(at.socketPath, 'NetworkDriver.ProgramExternalConnectivity', { ...endpoint, Options });
  assert.equal(await answerOf('10.8.0.1', 8088), 'reached\n');
  await call(at.socketPath, 'NetworkDriver.RevokeExternalConnectivity', endpoint);
  await assert.rejects(answerOf('10.8.0.1', 8088), { code: 'ECONNREFUSED' });
  await kill(web, 'SIGKILL');
  await call(at.socketPath, 'NetworkDriver.Leave', endpoint);
  await call(at.socketPath, 'NetworkDriver.DeleteEndpoint', endpoint);
  await call(at.socketPath, 'NetworkDriver.DeleteNetwork', { NetworkID: network.NetworkID });
  ip('netns', 'delete', 'published');
  // ip(8) mounts its own folder onto itself.
  execFileSync('umount', ['/run/netns']);
});

/** A server that is about to listen is asked again. */
async function answerOf(host: string, port: number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await text(connect(port, host));
    } catch (error) {
      if (attempt === 20) throw error;
      await sleep(50);
    }
  }
}

test('authorization is asked with what Docker sends', async () => {
  const at = places();
  await using _serving = await serveForDocker(at);
  const asked = { RequestMethod: 'POST', RequestUri: '/v1.41/containers/create?name=forbidden', RequestHeaders: {}, RequestBody: 'e30=' };
  assert.deepEqual(await call(at.socketPath, 'AuthZPlugin.AuthZReq', asked), { Allow: false, Msg: 'nobody may POST that name' });
  assert.deepEqual(await call(at.socketPath, 'AuthZPlugin.AuthZRes', { ...asked, ResponseStatusCode: 200 }), { Allow: true, Msg: '' });
});

test('nothing is mounted at the end', () => {
  for (const root of readdirSync(folder).filter((name) => /^\d+$/.test(name)))
    for (const name of readdirSync(join(folder, root, 'volumes'))) assert.equal(isMountPoint(join(folder, root, 'volumes', name)), false);
});
