import assert from 'node:assert/strict';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DaemonOptions, environmentProxies, parseDaemon } from '../../../core/cli/daemon/index.ts';

const defaults: DaemonOptions = {
  configFile: '/nowhere/daemon.json',
  hosts: ['unix:///run/gantry/gantry.sock'],
  group: 'gantry',
  debug: false,
  logLevel: 'info',
  shutdownTimeoutSeconds: 15,
  dataRoot: '/var/lib/gantry',
  execRoot: '/run/gantry',
  pluginDirs: [],
  pluginSettings: {},
  pluginPlacement: {},
  authorizationPlugins: [],
  storageOptions: {},
  logOptions: {},
  runtimes: {},
  labels: [],
  liveRestore: false,
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  insecureRegistries: [],
  registryMirrors: [],
  proxies: {},
  notes: [],
};

test('parseDaemon() gives the defaults when nothing is said', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantryd-'));
  const configFile = join(folder.path, 'daemon.json');
  writeFileSync(configFile, '');
  assert.deepEqual(options('--config-file', configFile), { ...defaults, configFile });
});

test('parseDaemon() reads flags, several times where that makes sense', () => {
  const read = withFile(
    {},
    '-H unix:///a -H fd:// -G staff -D --data-root /d --exec-root /x -s vfs --storage-opt a=b --log-opt k=v --label l=1 --mtu 1400 --dns 1.1.1.1 --add-runtime r=/r --idle-exit 60 --iptables=false -p /pid',
  );
  assert.deepEqual(
    { ...read, configFile: '', notes: read.notes.length },
    {
      ...defaults,
      configFile: '',
      hosts: ['unix:///a', 'fd://'],
      group: 'staff',
      debug: true,
      logLevel: 'debug',
      dataRoot: '/d',
      execRoot: '/x',
      storageDriver: 'vfs',
      storageOptions: { a: 'b' },
      logOptions: { k: 'v' },
      labels: ['l=1'],
      mtu: 1400,
      dns: ['1.1.1.1'],
      runtimes: { r: { path: '/r' } },
      idleExitSeconds: 60,
      pidfile: '/pid',
      notes: 1,
    },
  );
});

test("parseDaemon() merges daemon.json under dockerd's names", () => {
  const read = withFile({
    'data-root': '/d',
    'log-driver': 'local',
    'log-opts': { 'max-size': '1m' },
    runtimes: { kata: { path: '/kata', runtimeArgs: ['-x'] } },
    plugins: { 'acme.nfs': { server: 'x' } },
    features: { buildkit: true },
  });
  assert.deepEqual(
    { ...read, configFile: '' },
    {
      ...defaults,
      configFile: '',
      dataRoot: '/d',
      logDriver: 'local',
      logOptions: { 'max-size': '1m' },
      runtimes: { kata: { path: '/kata', runtimeArgs: ['-x'] } },
      pluginSettings: { 'acme.nfs': { server: 'x' } },
      notes: ["features has no effect: they are dockerd's own"],
    },
  );
});

test('parseDaemon() puts the socket below the exec root', () => {
  assert.deepEqual(withFile({ 'exec-root': '/x' }).hosts, ['unix:///x/gantry.sock']);
});

const refused: readonly (readonly [file: unknown, flags: string, message: RegExp])[] = [
  [
    { labels: ['a=1'] },
    '--label b=2',
    /specified both as a flag and in the configuration file .*labels: \(from flag: \["b=2"\], from file: \["a=1"\]\)/,
  ],
  [{ colour: 'red', size: 1 }, '', /don't match any configuration option: colour, size/],
  [{ debug: 'yes' }, '', /"debug" must be true or false/],
  [{ hosts: 'unix:///x' }, '', /"hosts" must be a list of texts/],
  [{ mtu: '1500' }, '', /"mtu" must be a number/],
  [{ 'log-opts': { a: 1 } }, '', /log-opts: "a" must be text/],
  [{ runtimes: { x: {} } }, '', /runtimes: "x" needs a path/],
  [{ hosts: ['tcp://0.0.0.0:2375'] }, '', /tcp:.*is refused/],
  [[], '', /must be a JSON object/],
  ['{', '', /is not JSON/],
  [{}, '-H tcp://0.0.0.0:2375', /tcp:.* is refused: whoever reaches an open port/],
  [{}, '-H :2375', /--host: ":2375" is not a host/],
  [{}, '-H unix://relative', /--host: .* is not a host/],
  [{}, '--data-root relative', /--data-root: .* is not an absolute path/],
  [{}, '--log-level loud', /--log-level: "loud" is not a log level/],
  [{}, '--mtu x', /--mtu: "x" is not a whole number/],
  [{}, '--bip 10.0.0.1', /--bip: .* is not an address with a prefix/],
  [{}, '--bip fd00::1/64', /--bip: .* is not an address with a prefix/],
  [{}, '--add-runtime x', /--add-runtime: "x" is not a runtime/],
  [{}, '--http-proxy me:secret@x', /--http-proxy: .* is not an http or https address/],
  [{ proxies: { 'ftp-proxy': 'x' } }, '', /proxies: "ftp-proxy" is not known/],
  [{}, '--registry-mirror mirror:5000', /--registry-mirror: invalid mirror: no scheme specified for "mirror:5000"/],
  [{}, '--registry-mirror ftp://x', /invalid mirror: unsupported scheme "ftp" in "ftp:\/\/x"/],
  [{}, '--registry-mirror https://', /invalid mirror: "https:\/\/" is not a valid URI/],
  [{}, '--registry-mirror https://me:secret@x', /invalid mirror: username\/password not allowed in URI "https:\/\/\*\*\*@x"/],
  [{}, '--registry-mirror https://x/?a=1', /invalid mirror: query or fragment at end of the URI/],
  [{ 'registry-mirrors': ['https://x/hub'] }, '', /"registry-mirrors": invalid mirror: path in the URI "https:\/\/x\/hub"/],
  [{}, '--bogus', /unknown flag: --bogus/],
  [{}, 'extra', /takes 0 arguments, got 1/],
];
for (const [file, flags, message] of refused) {
  test(`parseDaemon() refuses ${JSON.stringify(file)} with "${flags}" by name`, () => assert.throws(() => withFile(file, flags), message));
}

test('parseDaemon() refuses a named file that is not there', () => {
  assert.throws(() => options('--config-file', '/nowhere/daemon.json'), /cannot read the configuration file/);
});

test('parseDaemon() shows help and version, and validates, without serving', () => {
  const kinds = ['--help', '--version', '--validate'].map((flag) => parseDaemon([flag, '--config-file', '/dev/null']).kind);
  assert.deepEqual(kinds, ['show', 'show', 'validated']);
});

function withFile(content: unknown, flags = ''): DaemonOptions {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantryd-'));
  const configFile = join(folder.path, 'daemon.json');
  writeFileSync(configFile, typeof content === 'string' ? content : JSON.stringify(content));
  return options('--config-file', configFile, ...flags.split(' ').filter((word) => word !== ''));
}

function options(...words: readonly string[]): DaemonOptions {
  const command = parseDaemon(words);
  assert.ok(command.kind === 'serve');
  return command.options;
}

test('the environment names proxies in either case, as curl and Go read it', () => {
  assert.deepEqual(
    environmentProxies({ HTTP_PROXY: 'http://a', https_proxy: 'http://b', NO_PROXY: '', no_proxy: 'c', HTTP_PROXY_X: 'd' }),
    {
      http: 'http://a',
      https: 'http://b',
      none: 'c',
    },
  );
  assert.deepEqual(environmentProxies({}), {});
});
