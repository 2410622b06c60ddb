import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as linux from '@gantry/sdk/linux';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const root = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'linux-netns-'));
after(() => rmSync(root, { recursive: true }));
const own = (): string => readlinkSync('/proc/thread-self/ns/net');

test('createNetns() pins a new namespace and comes back, removeNetns() unpins it twice', () => {
  const home = own();
  const path = join(root, 'pinned');
  linux.createNetns(path);
  assert.equal(own(), home);
  assert.throws(() => linux.createNetns(path), { code: 'EEXIST' });
  const netns = linux.openNetns(path);
  assert.notEqual(linux.withNetns(netns, own), home);
  assert.equal(own(), home);
  closeSync(netns);
  linux.removeNetns(path);
  linux.removeNetns(path);
  assert.equal(existsSync(path), false);
});

test('createNetns() that cannot pin leaves nothing behind', () => {
  const home = own();
  assert.throws(() => linux.createNetns(join(root, 'missing/x')), { code: 'ENOENT' });
  assert.deepEqual([own(), readdirSync(root)], [home, []]);
});

test('withNetns() comes back after an exception, a promise and what is no namespace', () => {
  const home = own();
  using pinned = namespace('thrown');
  const before = readdirSync('/proc/self/fd').length;
  const failure = new Error('inside');
  assert.throws(
    () =>
      linux.withNetns(pinned.netns, () => {
        throw failure;
      }),
    failure,
  );
  assert.throws(() => linux.withNetns(pinned.netns, () => Promise.resolve()), TypeError);
  const folder = linux.openNetns(root);
  assert.throws(() => linux.withNetns(folder, own), { code: 'EINVAL', syscall: 'setns' });
  closeSync(folder);
  assert.deepEqual([own(), readdirSync('/proc/self/fd').length], [home, before]);
});

test('writeNetSysctl() writes in that namespace only', () => {
  using pinned = namespace('sysctl');
  const read = (): string => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim();
  const here = read();
  linux.writeNetSysctl(pinned.netns, 'net/ipv4/ip_forward', here === '1' ? '0' : '1');
  assert.deepEqual([read(), linux.withNetns(pinned.netns, read)], [here, here === '1' ? '0' : '1']);
  assert.throws(() => linux.writeNetSysctl(pinned.netns, 'net/ipv4/conf/nothing/forwarding', '1'), { code: 'ENOENT' });
  for (const name of ['kernel/core_pattern', 'net/../kernel/core_pattern', 'net']) {
    assert.throws(() => linux.writeNetSysctl(pinned.netns, name, 'x'), { code: 'ERR_INVALID_ARG_VALUE' });
  }
});

test('boundSocketIn() makes a socket of that namespace that node:net adopts', async () => {
  using pinned = namespace('socket');
  using link = linux.Rtnetlink.open(pinned.netns);
  link.linkSet('lo', { up: true });
  for (const ip of ['127.0.0.1', '::1']) {
    const server = createServer().listen({ fd: linux.boundSocketIn(pinned.netns, { kind: 'tcp', ip, port: 0 }) });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const again = (): number => linux.boundSocketIn(pinned.netns, { kind: 'tcp', ip, port });
    assert.throws(again, { code: 'EADDRINUSE', syscall: 'bind', path: `${ip}:${port}` });
    closeSync(linux.boundSocketIn(undefined, { kind: 'tcp', ip, port }));
    server.close();
    await once(server, 'close');
  }
  closeSync(linux.boundSocketIn(pinned.netns, { kind: 'udp', ip: '127.0.0.1', port: 53 }));
  assert.throws(() => linux.boundSocketIn(pinned.netns, { kind: 'udp', ip: 'localhost', port: 53 }), { code: 'ERR_INVALID_ARG_VALUE' });
});

function namespace(name: string): Disposable & { readonly netns: number } {
  const path = join(root, name);
  linux.createNetns(path);
  const netns = linux.openNetns(path);
  return {
    netns,
    [Symbol.dispose]: () => {
      closeSync(netns);
      linux.removeNetns(path);
    },
  };
}
