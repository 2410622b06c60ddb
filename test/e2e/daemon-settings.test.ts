import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFlags } from '../../core/cli/daemon/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const timeout = 120_000;
const program = join(import.meta.dirname, '../../core/bin/gantryd.mjs');

test("dockerd's settings for containers and networks are in force in gantryd", { timeout }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  mkdirSync(join(folder, 'cdi'));
  const device = { name: 'x', containerEdits: { env: ['FROM_CDI=yes'] } };
  writeFileSync(join(folder, 'cdi', 'x.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.com/env', devices: [device] }));
  const flags = [
    '--default-ulimit nofile=77:88 --default-shm-size 16m --no-new-privileges --seccomp-profile unconfined',
    '--default-address-pool base=10.66.0.0/16,size=24 --default-network-opt bridge=com.docker.network.driver.mtu=1371',
    `--host-gateway-ip 192.0.2.8 --cdi-spec-dir ${join(folder, 'cdi')} --cgroup-parent /settings`,
  ].flatMap((line) => line.split(' '));
  await using daemon = await Daemon.start({ folder, flags });
  const api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
  const { Id: network } = await api.json<{ readonly Id: string }>('POST /networks/create', { body: { Name: 'pooled' } });
  const script = [
    'ulimit -n; ulimit -Hn',
    "df -k /dev/shm | awk 'NR == 2 { print $2 }'",
    'grep -E "NoNewPrivs|Seccomp:" /proc/self/status | cut -f2',
    'grep gw /etc/hosts; cat /sys/class/net/eth0/mtu; echo $FROM_CDI',
    'ip -4 addr show eth0 | grep -o "10\\.66\\."',
    'grep -c ":/settings/" /proc/1/cgroup > /dev/null && echo below',
  ].join('\n');
  const { Id } = await api.json<{ readonly Id: string }>('POST /containers/create', {
    body: {
      Image: 'busybox',
      Cmd: ['sh', '-c', script],
      Tty: true,
      HostConfig: {
        NetworkMode: 'pooled',
        ExtraHosts: ['gw:host-gateway'],
        DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['acme.com/env=x'] }],
      },
    },
  });
  await api.request(`POST /containers/${Id}/start`);
  assert.deepEqual(await api.json(`POST /containers/${Id}/wait`), { StatusCode: 0 });
  const { text } = await api.request(`GET /containers/${Id}/logs?stdout=1&stderr=1`);
  const lines = text.trim().split('\r\n');
  assert.deepEqual(lines, ['77', '88', '16384', '1', '0', '192.0.2.8\tgw', '1371', 'yes', '10.66.', 'below']);
  const info = await api.json<Readonly<Record<string, unknown>>>('GET /info');
  assert.deepEqual(info['DefaultAddressPools'], [{ Base: '10.66.0.0/16', Size: 24 }]);
  assert.deepEqual(info['CDISpecDirs'], [join(folder, 'cdi')]);
  await api.request(`DELETE /containers/${Id}?force=1`);
  await api.request(`DELETE /networks/${network}`);
});

test('a setting of dockerd that is not supported keeps gantryd from starting, with one line that says why', { timeout }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = join(folder, 'daemon.json');
  writeFileSync(file, '{"selinux-enabled": true}');
  const { status, stderr } = spawnSync(process.execPath, [...nodeFlags, program, '--config-file', file, '--validate'], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /selinux-enabled is not supported: SELinux labels are not set/);
});
