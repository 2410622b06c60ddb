import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { createContainer, expect, removeContainer, statusOf } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** host-local keeps its books below /var/lib/cni. The plugin's bridge stays, which is its way; its addresses of IPv6 come and go with its ports. */
before(() => {
  writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  mkdirSync('/var/lib/cni', { recursive: true });
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib/cni']);
});
after(() => {
  spawnSync('umount', ['/var/lib/cni']);
});

const books = '/var/lib/cni/networks/lan';
const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.7.0/24' }]] } };
const config = JSON.stringify({ cniVersion: '1.0.0', name: 'lan', plugins: [bridge, { type: 'tuning' }] });

if (existsSync('/usr/lib/cni/host-local'))
  // One program of two has made its part, or both have: what is not recorded as made is taken back by DEL all the same.
  killAtEach('a start on a CNI network', {
    failpoints: ['start.cni.added', 'start.state.persist'],
    prepare: async (api) => {
      const json = { Name: 'lan', Driver: 'cni', Options: { config } };
      await expect(api, 'POST', '/networks/create', { statuses: [201, 409], json });
      await createContainer(api, 'joins', { command: ['sleep', '7011'], hostConfig: { NetworkMode: 'lan' } });
    },
    ask: async (api) => {
      await expect(api, 'POST', '/containers/joins/start', { statuses: [204, 304] });
    },
    check: async (api, { acknowledged }) => {
      const status = await statusOf(api, 'joins');
      assert.ok(status === 'running' || (!acknowledged && ['created', 'exited'].includes(status)), status);
      const taken = readdirSync(books).filter((name) => /^\d/.test(name)).length;
      assert.equal(taken, status === 'running' ? 1 : 0, 'addresses that host-local has given away');
    },
    clean: async (api) => {
      await removeContainer(api, 'joins');
      await expect(api, 'DELETE', '/networks/lan', { statuses: [204, 404] });
    },
  });
