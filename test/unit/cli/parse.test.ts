import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk';
import { parseAddHost } from '../../../core/cli/parse/add-host.ts';
import { parseIp, parseMac } from '../../../core/cli/parse/address.ts';
import { splitContainerPath } from '../../../core/cli/parse/container-path.ts';
import { parseCsv } from '../../../core/cli/parse/csv.ts';
import { parseDevice } from '../../../core/cli/parse/device.ts';
import { parseGpus } from '../../../core/cli/parse/gpus.ts';
import { parseDuration } from '../../../core/cli/parse/duration.ts';
import { parseEnv, readEnvFile, readLabelFile } from '../../../core/cli/parse/env.ts';
import { parseFilter, toFilters } from '../../../core/cli/parse/filter.ts';
import { parseCpus, parseInteger } from '../../../core/cli/parse/integer.ts';
import { parseAssignment, parseKeyValue } from '../../../core/cli/parse/key-value.ts';
import { parseMount, parseTmpfs, parseVolume } from '../../../core/cli/parse/mount.ts';
import { parseNetwork } from '../../../core/cli/parse/network.ts';
import { parseExpose, parsePublish } from '../../../core/cli/parse/port.ts';
import { splitReference } from '../../../core/cli/parse/reference.ts';
import { parseRestart } from '../../../core/cli/parse/restart.ts';
import { parseSecurityOpt } from '../../../core/cli/parse/security-opt.ts';
import { parseSize, parseSwapSize } from '../../../core/cli/parse/size.ts';
import { parseTime } from '../../../core/cli/parse/time.ts';
import { parseUlimit } from '../../../core/cli/parse/ulimit.ts';

interface Table {
  readonly parse: (text: string) => unknown;
  readonly reads: Readonly<Record<string, unknown>>;
  readonly refuses: readonly string[];
}

const port = (number: number, HostPort: string, HostIp = '', protocol = 'tcp') => ({
  port: `${number}/${protocol}`,
  binding: { HostIp, HostPort },
});

const tables: Readonly<Record<string, Table>> = {
  parseSize: {
    parse: parseSize,
    reads: { '0': 0, '1024': 1024, '512k': 524_288, '64m': 67_108_864, '1.5GiB': 1_610_612_736, '2 GB': 2_147_483_648, '10b': 10 },
    refuses: ['', 'm', '-1', '64q', '64mm', '1e3', '0x10', '9999999p', 'NaN', '１m'],
  },
  parseSwapSize: { parse: parseSwapSize, reads: { '-1': -1, '1k': 1024 }, refuses: ['-2', ''] },
  parseDuration: {
    parse: parseDuration,
    reads: { '0': 0, '500ms': 5e8, '1m30s': 9e10, '1.5h': 54e11, '2us': 2000 },
    refuses: ['', '5', 's', '5 s', '1m30', '-1s', '1d', '99999999h'],
  },
  parseInteger: {
    parse: parseInteger(-1, 10),
    reads: { '-1': -1, '10': 10, '+3': 3 },
    refuses: ['', '11', '-2', '1.5', '1e1', ' ', 'ten'],
  },
  parseCpus: { parse: parseCpus, reads: { '0.5': 5e8, '2': 2e9, '0.000000001': 1 }, refuses: ['', '-1', '0.0000000001', '1,5', 'all'] },
  parseKeyValue: {
    parse: parseKeyValue,
    reads: { 'a=b': ['a', 'b'], a: ['a', ''], 'a=b=c': ['a', 'b=c'], 'a=': ['a', ''] },
    refuses: ['', '=b', ' =x'],
  },
  parseAssignment: { parse: parseAssignment, reads: { 'a=b': ['a', 'b'] }, refuses: ['a', '', '=b'] },
  parseCsv: {
    parse: parseCsv,
    reads: { 'a,b': ['a', 'b'], '"a,b",c': ['a,b', 'c'], '"say ""hi"""': ['say "hi"'], '': [''], 'a,': ['a', ''] },
    refuses: ['a"b', '"a"b', '"a'],
  },
  parsePublish: {
    parse: parsePublish,
    reads: {
      '80': [port(80, '')],
      '8080:80': [port(80, '8080')],
      '127.0.0.1:8080:80': [port(80, '8080', '127.0.0.1')],
      '127.0.0.1::80': [port(80, '', '127.0.0.1')],
      '[::1]:53:53/udp': [port(53, '53', '::1', 'udp')],
      '8000-8001:80-81': [port(80, '8000'), port(81, '8001')],
      '8000-8010:80': [port(80, '8000-8010')],
      '80-81': [port(80, ''), port(81, '')],
    },
    refuses: [
      '',
      ':',
      '80:',
      '0:80',
      '99999:1',
      '1:99999',
      '80/icmp',
      '8000-8002:80-81',
      '81-80:81-80',
      'a:b',
      '1:2:3:4',
      'nohost:1:2',
      '[::1]:80',
      '80/tcp/udp',
      '-1:80',
    ],
  },
  parseExpose: {
    parse: parseExpose,
    reads: { '80': ['80/tcp'], '53/udp': ['53/udp'], '1-2': ['1/tcp', '2/tcp'] },
    refuses: ['', 'x', '0', '65536', '2-1'],
  },
  parseMount: {
    parse: parseMount,
    reads: {
      'type=bind,src=/a,dst=/b,ro': { Type: 'bind', Target: '/b', Source: '/a', ReadOnly: true },
      'type=volume,source=v,target=/b,volume-nocopy,volume-opt=o=addr,volume-driver=nfs': {
        Type: 'volume',
        Target: '/b',
        Source: 'v',
        VolumeOptions: { NoCopy: true, DriverConfig: { Name: 'nfs', Options: { o: 'addr' } } },
      },
      'dst=/b': { Type: 'volume', Target: '/b' },
      'type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770': {
        Type: 'tmpfs',
        Target: '/t',
        TmpfsOptions: { SizeBytes: 67_108_864, Mode: 0o1770 },
      },
      'type=image,src=busybox,dst=/i,image-subpath=bin': {
        Type: 'image',
        Target: '/i',
        Source: 'busybox',
        ImageOptions: { Subpath: 'bin' },
      },
      'type=bind,"src=/with,comma",dst=/b,readonly=false': { Type: 'bind', Target: '/b', Source: '/with,comma' },
      'type=bind,src=/a,dst=/b,bind-propagation=rshared': {
        Type: 'bind',
        Target: '/b',
        Source: '/a',
        BindOptions: { Propagation: 'rshared' },
      },
      'type=bind,src=/a,dst=/b,bind-recursive=disabled': {
        Type: 'bind',
        Target: '/b',
        Source: '/a',
        BindOptions: { NonRecursive: true },
      },
      'type=bind,src=/a,dst=/b,ro,bind-recursive=writable': {
        Type: 'bind',
        Target: '/b',
        Source: '/a',
        ReadOnly: true,
        BindOptions: { ReadOnlyNonRecursive: true },
      },
      'type=bind,src=/a,dst=/b,ro,bind-propagation=rprivate,bind-recursive=readonly': {
        Type: 'bind',
        Target: '/b',
        Source: '/a',
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate', ReadOnlyForceRecursive: true },
      },
      'type=volume,src=v,dst=/b,idmap=uids=0-1-1#5-6-1;gids=0-1-1': {
        Type: 'volume',
        Target: '/b',
        Source: 'v',
        IdMap: 'uids=0-1-1#5-6-1;gids=0-1-1',
      },
      'type=bind,src=/a,dst=/b,idmap': { Type: 'bind', Target: '/b', Source: '/a', IdMap: '' },
    },
    refuses: [
      '',
      'type=bind,dst=/b',
      'type=bind,src=/a',
      'type=bind,src=/a,dst=b',
      'type=nfs,dst=/b',
      'type=tmpfs,src=/a,dst=/b',
      'type=bind,src=/a,dst=/b,tmpfs-size=1m',
      'type=bind,src=/a,dst=/b,ro=maybe',
      'type=tmpfs,dst=/t,tmpfs-mode=999',
      'type=volume,dst=/b,volume-opt=x',
      'type=bind,src=/a,dst=/b,colour=red',
      'type=bind,src=/a,dst=/b,bind-recursive=sometimes',
      'type=bind,src=/a,dst=/b,bind-recursive=writable',
      'type=bind,src=/a,dst=/b,bind-recursive=readonly',
      'type=bind,src=/a,dst=/b,ro,bind-recursive=readonly',
      'type=tmpfs,dst=/b,idmap=uids=0-1-1',
    ],
  },
  parseTmpfs: { parse: parseTmpfs, reads: { '/t': ['/t', ''], '/t:size=1m,ro': ['/t', 'size=1m,ro'] }, refuses: ['', 't', ':ro'] },
  parseVolume: {
    parse: parseVolume,
    reads: {
      '/v': { volume: '/v' },
      'name:/v': { bind: 'name:/v' },
      '/a:/b:ro,z': { bind: '/a:/b:ro,z' },
      './a:/b': { bind: `${process.cwd()}/a:/b` },
    },
    refuses: ['', 'v', ':/b', 'a:b', 'a:/b:ro:x', 'a::ro', '..'],
  },
  parseUlimit: {
    parse: parseUlimit,
    reads: { 'nofile=1024': { Name: 'nofile', Soft: 1024, Hard: 1024 }, 'core=0:-1': { Name: 'core', Soft: 0, Hard: -1 } },
    refuses: ['', 'nofile', 'nofile=', 'files=1', 'nofile=2:1', 'nofile=-1:5', 'nofile=1:2:3', 'nofile=1.5'],
  },
  parseDevice: {
    parse: parseDevice,
    reads: {
      'vendor.com/gpu=0': 'vendor.com/gpu=0',
      '/dev/a': { PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'rwm' },
      '/dev/a:r': { PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'r' },
      '/dev/a:/dev/b:rw': { PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rw' },
    },
    refuses: ['', 'sda', '/dev/a:/dev/b:x', '/dev/a:rr', '/dev/a:/dev/b:rw:z', 'vendor.com/gpu', 'vendor.com=0'],
  },
  parseGpus: {
    parse: parseGpus,
    reads: {
      all: { Driver: '', Count: -1, Capabilities: [['gpu']] },
      '2': { Driver: '', Count: 2, Capabilities: [['gpu']] },
      'count=2,driver=nvidia': { Driver: 'nvidia', Count: 2, Capabilities: [['gpu']] },
      '"device=0,1","capabilities=utility,compute"': {
        Driver: '',
        Count: 0,
        DeviceIDs: ['0', '1'],
        Capabilities: [['utility', 'compute', 'gpu']],
      },
    },
    refuses: ['', '0', 'some', 'colour=red', 'count=x'],
  },
  parseRestart: {
    parse: parseRestart,
    reads: {
      no: { Name: 'no', MaximumRetryCount: 0 },
      'on-failure:3': { Name: 'on-failure', MaximumRetryCount: 3 },
      'unless-stopped': { Name: 'unless-stopped', MaximumRetryCount: 0 },
    },
    refuses: ['sometimes', 'always:3', 'on-failure:x', 'on-failure:-1', 'ALWAYS'],
  },
  parseNetwork: {
    parse: parseNetwork,
    reads: {
      web: { name: 'web', endpoint: {} },
      'container:x': { name: 'container:x', endpoint: {} },
      'name=web,alias=a,alias=b,ip=10.0.0.2,driver-opt=k=v,gw-priority=1': {
        name: 'web',
        endpoint: { IPAMConfig: { IPv4Address: '10.0.0.2' }, Aliases: ['a', 'b'], DriverOpts: { k: 'v' }, GwPriority: 1 },
      },
    },
    refuses: ['', 'alias=a', 'name=web,colour=red', 'name=', 'name=web,gw-priority=high'],
  },
  parseAddHost: {
    parse: parseAddHost,
    reads: { 'a:1.2.3.4': 'a:1.2.3.4', 'a=::1': 'a:::1', 'a:[::1]': 'a:::1', 'h:host-gateway': 'h:host-gateway' },
    refuses: ['', 'a', 'a:', ':1.2.3.4', 'a:1.2.3', 'a b:1.2.3.4'],
  },
  parseIp: { parse: parseIp, reads: { '1.2.3.4': '1.2.3.4', '::1': '::1' }, refuses: ['', '1.2.3', '1.2.3.4/8', 'x'] },
  parseMac: { parse: parseMac, reads: { '92:d0:c6:0a:29:33': '92:d0:c6:0a:29:33' }, refuses: ['', '92:d0', '92:d0:c6:0a:29:zz'] },
  parseSecurityOpt: {
    parse: parseSecurityOpt,
    reads: { 'no-new-privileges': 'no-new-privileges', 'seccomp=unconfined': 'seccomp=unconfined', 'label:disable': 'label:disable' },
    refuses: ['', 'seccomp', 'seccomp=/nowhere.json', 'seccomp=/proc/version'],
  },
  parseFilter: {
    parse: parseFilter,
    reads: { 'status=exited': ['status', 'exited'], 'Label=a=b': ['label', 'a=b'], 'label!=x': ['label!', 'x'] },
    refuses: ['', 'status', '=x', '1=2'],
  },
  splitReference: {
    parse: splitReference,
    reads: {
      busybox: { name: 'busybox', tag: undefined },
      'reg:5000/a/b': { name: 'reg:5000/a/b', tag: undefined },
      'reg:5000/a/b:1': { name: 'reg:5000/a/b', tag: '1' },
      'a@sha256:0': { name: 'a', tag: 'sha256:0' },
    },
    refuses: ['', 'a b'],
  },
};

for (const [name, { parse, reads, refuses }] of Object.entries(tables)) {
  test(`${name}() reads what docker reads`, () => {
    assert.deepEqual(Object.fromEntries(Object.keys(reads).map((text) => [text, parse(text)])), reads);
  });
  test(`${name}() refuses bad input in one short line`, () => {
    for (const text of refuses) assertRefused(() => parse(text), text);
    // Whether it can be read or not: a refusal never repeats all of what was typed.
    for (const long of ['x'.repeat(10_000), `/\n${'y'.repeat(10_000)}`, `a=\n${'z'.repeat(10_000)}:,/`]) assertShort(() => parse(long));
  });
}

test('parseTime() reads moments as unix seconds, to the nanosecond', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(parseTime('1700000000.123456789'), '1700000000.123456789');
  assert.equal(parseTime('2026-01-31T12:00:00.123456789Z'), '1769860800.123456789');
  assert.equal(parseTime('2026-01-31T12:00:00+01:00'), '1769857200');
  assert.equal(parseTime('10m', now), ((now - 600_000) / 1000).toFixed(3));
  for (const text of ['', 'yesterday', '2026-13-01', '10', '-5m'].filter((one) => one !== '10')) assertRefused(() => parseTime(text), text);
});

test('parseEnv() takes a lone name from the environment of the caller, and leaves out what it has not', () => {
  assert.deepEqual([parseEnv('A=1', {}), parseEnv('A', { A: '2' }), parseEnv('A', {}), parseEnv('A=', {})], [['A=1'], ['A=2'], [], ['A=']]);
});

test('readEnvFile() skips comments and a byte order mark, unquotes nothing and names the line that is wrong', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantry-env-'));
  const path = join(folder.path, 'env');
  writeFileSync(path, '\u{FEFF}# comment\nA=1\r\n\n  B="quoted" \nC\n');
  assert.deepEqual(readEnvFile(path, { C: '3' }), ['A=1', 'B="quoted" ', 'C=3']);
  writeFileSync(path, 'A=1\nB C=2\n');
  assert.throws(() => readEnvFile(path, {}), /env:2/);
  assert.throws(() => readEnvFile(join(folder.path, 'none'), {}), /cannot read the file/);
});

test('readLabelFile() reads one label per line', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantry-label-'));
  const path = join(folder.path, 'labels');
  writeFileSync(path, 'a=1\nb\n');
  assert.deepEqual(readLabelFile(path), [
    ['a', '1'],
    ['b', ''],
  ]);
});

test('toFilters() collects the values of a key', () => {
  assert.deepEqual(
    toFilters([
      ['label', 'a'],
      ['label', 'b'],
      ['name', 'c'],
    ]),
    { label: ['a', 'b'], name: ['c'] },
  );
});

test('splitContainerPath() knows local paths by their slash', () => {
  const texts = ['c:/x', '/x', './c:/x', 'dir/c:x', '-', 'c:'];
  assert.deepEqual(texts.map(splitContainerPath), [
    { container: 'c', path: '/x' },
    { path: '/x' },
    { path: './c:/x' },
    { path: 'dir/c:x' },
    { path: '-' },
    { container: 'c', path: '' },
  ]);
});

function assertRefused(act: () => unknown, text: string): void {
  assert.ok(assertShort(act), `${JSON.stringify(text)} was not refused`);
}

/** Whether it was refused, which must be in one short line. */
function assertShort(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    assert.ok(GantryError.is(error), String(error).slice(0, 200));
    assert.ok(error.message.length < 400 && !error.message.includes('\n'), error.message.slice(0, 500));
    return true;
  }
}
