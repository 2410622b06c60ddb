import assert from 'node:assert/strict';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk/errors';
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
  containerDefaults: {},
  networkOptions: {},
  hostGatewayIps: [],
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

const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';

test("parseDaemon() takes dockerd's defaults of containers and networks from daemon.json", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantryd-'));
  const file = join(folder.path, 'seccomp.json');
  writeFileSync(file, profile);
  const read = withFile({
    'default-shm-size': '32m',
    'default-ipc-mode': 'shareable',
    'default-cgroupns-mode': 'host',
    'default-ulimits': { nofile: { Name: 'nofile', Hard: 64_000, Soft: 1_024 }, core: { Soft: 0 } },
    init: true,
    'init-path': '/usr/bin/tini',
    'no-new-privileges': true,
    'seccomp-profile': file,
    'cgroup-parent': '/docker',
    'default-address-pools': [{ base: '10.10.0.0/16', size: 24 }],
    'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1234' } },
    'host-gateway-ip': '10.0.0.1',
    'max-download-attempts': 3,
    'userns-remap': '',
    'selinux-enabled': false,
  });
  assert.deepEqual(
    { ...read, configFile: '' },
    {
      ...defaults,
      configFile: '',
      containerDefaults: {
        shmSizeBytes: 32 * 2 ** 20,
        ipcMode: 'shareable',
        cgroupnsMode: 'host',
        cgroupParent: '/docker',
        ulimits: [
          { Name: 'nofile', Soft: 1_024, Hard: 64_000 },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
        init: true,
        initPath: '/usr/bin/tini',
        noNewPrivileges: true,
        seccompProfile: profile,
      },
      addressPools: [{ base: '10.10.0.0/16', size: 24 }],
      networkOptions: { bridge: { 'com.docker.network.driver.mtu': '1234' } },
      hostGatewayIps: ['10.0.0.1'],
      downloadAttempts: 3,
    },
  );
});

test('parseDaemon() takes the same from flags', () => {
  const { containerDefaults, addressPools, networkOptions, hostGatewayIps } = withFile(
    {},
    '--default-shm-size 1g --default-ulimit nofile=1:2 --default-ulimit core=0 --init --no-new-privileges --seccomp-profile unconfined --default-address-pool base=10.1.0.0/16,size=20 --default-address-pool base=fd00::/48,size=64 --default-network-opt bridge=a=b --default-network-opt bridge=c=d=e --host-gateway-ip 10.0.0.1 --host-gateway-ip fd00::1',
  );
  assert.deepEqual(
    { containerDefaults, addressPools, networkOptions, hostGatewayIps },
    {
      containerDefaults: {
        shmSizeBytes: 2 ** 30,
        ulimits: [
          { Name: 'nofile', Soft: 1, Hard: 2 },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
        init: true,
        noNewPrivileges: true,
        seccompProfile: 'unconfined',
      },
      addressPools: [
        { base: '10.1.0.0/16', size: 20 },
        { base: 'fd00::/48', size: 64 },
      ],
      networkOptions: { bridge: { a: 'b', c: 'd=e' } },
      hostGatewayIps: ['10.0.0.1', 'fd00::1'],
    },
  );
});

/** Every key of dockerd 28's daemon.json, with a value that asks for something. */
const dockerdKeys: Readonly<Record<'taken' | 'noted' | 'refused', Readonly<Record<string, unknown>>>> = {
  taken: {
    'authorization-plugins': ['x'],
    bip: '10.0.0.1/24',
    'cdi-spec-dirs': ['/x'],
    'cgroup-parent': '/x',
    'data-root': '/x',
    debug: true,
    'default-address-pools': [{ base: '10.0.0.0/16', size: 24 }],
    'default-cgroupns-mode': 'private',
    'default-ipc-mode': 'private',
    'default-network-opts': { bridge: { a: 'b' } },
    'default-runtime': 'runc',
    'default-shm-size': 67_108_864,
    'default-ulimits': { nofile: { Name: 'nofile', Soft: 1, Hard: 1 } },
    dns: ['1.1.1.1'],
    'dns-opts': ['rotate'],
    'dns-search': ['x'],
    'exec-root': '/x',
    group: 'x',
    'host-gateway-ip': '10.0.0.1',
    'host-gateway-ips': ['10.0.0.1'],
    hosts: ['unix:///x'],
    icc: false,
    init: true,
    'init-path': '/x',
    'insecure-registries': ['x'],
    ip: '127.0.0.1',
    labels: ['a=b'],
    'log-driver': 'local',
    'log-level': 'warn',
    'log-opts': { 'max-size': '1m' },
    'max-download-attempts': 5,
    'metrics-addr': '127.0.0.1:9323',
    mtu: 1400,
    'no-new-privileges': true,
    'no-proxy': 'x',
    'http-proxy': 'http://x',
    'https-proxy': 'http://x',
    pidfile: '/x',
    proxies: { 'http-proxy': 'http://x' },
    'registry-mirrors': ['https://x'],
    runtimes: { x: { path: '/x' } },
    'seccomp-profile': 'unconfined',
    'storage-driver': 'vfs',
    'storage-opts': ['a=b'],
    'userland-proxy': true,
    'userns-remap': '',
  },
  noted: {
    'allow-nondistributable-artifacts': ['x'],
    builder: { gc: { enabled: true } },
    containerd: '/x',
    'containerd-namespace': 'x',
    'containerd-plugins-namespace': 'x',
    'deprecated-key-path': '/x',
    'exec-opts': ['native.cgroupdriver=systemd'],
    experimental: true,
    features: { buildkit: true },
    'firewall-backend': 'iptables',
    'ip-forward': true,
    'ip-forward-no-drop': true,
    'ip-masq': true,
    ip6tables: true,
    iptables: true,
    'live-restore': true,
    'log-format': 'text',
    'max-concurrent-downloads': 3,
    'max-concurrent-uploads': 5,
    'network-control-plane-mtu': 1500,
    'network-diagnostic-port': 1,
    'node-generic-resources': ['x=1'],
    'raw-logs': true,
    'shutdown-timeout': 15,
    'swarm-default-advertise-addr': 'eth0',
    tls: true,
    'userland-proxy-path': '/x',
  },
  refused: {
    'allow-direct-routing': true,
    bip6: 'fd00::1/64',
    bridge: 'br0',
    'cpu-rt-period': 1,
    'cpu-rt-runtime': 1,
    'default-gateway': '10.0.0.1',
    'default-gateway-v6': 'fd00::1',
    'fixed-cidr': '10.0.0.0/25',
    'fixed-cidr-v6': 'fd00::/64',
    ipv6: true,
    rootless: true,
    'selinux-enabled': true,
  },
};
for (const [key, setting] of Object.entries(dockerdKeys.taken))
  test(`parseDaemon() takes dockerd's ${key}`, () => assert.deepEqual(withFile({ [key]: setting }).notes, []));
for (const [key, setting] of Object.entries(dockerdKeys.noted)) {
  test(`parseDaemon() takes dockerd's ${key} and notes that it has no effect`, () => {
    const { notes } = withFile({ [key]: setting });
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? '', new RegExp(`^${key} has no effect: .`));
  });
}
for (const [key, setting] of Object.entries(dockerdKeys.refused)) {
  test(`parseDaemon() refuses dockerd's ${key}, says why and what to do`, () => {
    assert.throws(
      () => withFile({ [key]: setting }),
      (error) => {
        assert.ok(GantryError.is(error));
        assert.match(error.message, new RegExp(`daemon.json: ${key} is not supported: .`));
        return (error.hint ?? '') !== '';
      },
    );
  });
}

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
  [{ 'default-address-pools': [{ base: 'zz', size: 24 }] }, '', /"default-address-pools": "base=zz,size=24" is not a pool of addresses/],
  [{ 'default-address-pools': [{ base: '10.0.0.0/8' }] }, '', /is not a pool of addresses/],
  [{ 'default-address-pools': ['x'] }, '', /"default-address-pools" must be a list of objects/],
  [{ 'default-shm-size': true }, '', /"default-shm-size" must be a size/],
  [{ 'default-shm-size': 'big' }, '', /"default-shm-size": "big" is not a size/],
  [{ 'default-ipc-mode': 'host' }, '', /"default-ipc-mode": "host" is not one of private, shareable/],
  [{ 'default-ulimits': { nofile: { Name: 'core', Soft: 1, Hard: 1 } } }, '', /default-ulimits: "nofile" is not a ulimit/],
  [{ 'default-ulimits': { nofile: { Name: 'nofile', Soft: 2, Hard: 1 } } }, '', /"nofile=2:1" has a soft limit above the hard one/],
  [{ 'default-ulimits': { nonsense: { Soft: 1 } } }, '', /"nonsense=1:1" names no limit of Linux/],
  [{ 'default-network-opts': { bridge: { mtu: 1 } } }, '', /default-network-opts: "mtu" of bridge must be text/],
  [{ 'seccomp-profile': '/nowhere/profile' }, '', /cannot read the seccomp profile/],
  [{ 'host-gateway-ip': 'x' }, '', /"host-gateway-ip": "x" is not an ip address/],
  [{ 'max-download-attempts': 0 }, '', /"max-download-attempts": "0" is not between 1 and 20/],
  [{}, '--userns-remap nobody-of-that-name', /userns-remap: there is no user nobody-of-that-name/],
  [{ 'userns-remap': 'a:b:c' }, '', /userns-remap: "a:b:c" is no user/],
  [{ 'userns-remap': 'root' }, '', /userns-remap: root is root of this machine/],
  [{}, '--ipv6', /--ipv6 is not supported/],
  [{}, '--default-network-opt mtu=1', /--default-network-opt: "mtu=1" is not an option of a network driver/],
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
