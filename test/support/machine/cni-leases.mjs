/**
 * A CNI plugin of version 1.1.0 that gives containers an interface that leads nowhere, with an address of 10.91.0.0/24, and keeps one file per address, with the container's id and interface in
 * it, as host-local does. It knows GC and STATUS, which Debian's own do not yet. `leases`: the folder. A file "broken" there makes DEL fail, "closed" STATUS and ADD, and with
 * "slow" GC takes a second.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { CNI_COMMAND: command, CNI_CONTAINERID: containerId, CNI_IFNAME: ifname, CNI_NETNS: netns } = process.env;
const settings = JSON.parse(readFileSync(0, 'utf8'));
const { cniVersion, leases } = settings;
mkdirSync(leases, { recursive: true });
appendFileSync(join(leases, 'calls'), `${command} ${containerId ?? ''}\n`);
const owner = `${containerId} ${ifname}`;
const addresses = () => readdirSync(leases).filter((name) => name.startsWith('10.'));
const given = addresses();
const ownerOf = (address) => readFileSync(join(leases, address), 'utf8');
const inside = (...args) => execFileSync('nsenter', [`--net=${netns}`, 'ip', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });

function fail(code, msg) {
  console.log(JSON.stringify({ cniVersion, code, msg }));
  process.exit(1);
}

const verbs = {
  ADD() {
    if (existsSync(join(leases, 'closed'))) fail(50, 'the books are closed');
    if (given.some((address) => ownerOf(address) === owner)) fail(11, `${owner} has an address already`);
    const address = Array.from({ length: 253 }, (_, at) => `10.91.0.${at + 2}`).find((free) => !given.includes(free));
    writeFileSync(join(leases, address), owner);
    inside('link', 'add', ifname, 'type', 'veth', 'peer', 'name', `${ifname}-end`);
    inside('address', 'add', `${address}/24`, 'dev', ifname);
    inside('link', 'set', ifname, 'up');
    const interfaces = [{ name: ifname, mac: '', sandbox: netns }];
    console.log(JSON.stringify({ cniVersion, interfaces, ips: [{ address: `${address}/24`, interface: 0 }] }));
  },
  DEL() {
    if (existsSync(join(leases, 'broken'))) fail(11, 'the books cannot be written');
    for (const address of given) if (ownerOf(address) === owner) rmSync(join(leases, address));
  },
  CHECK() {},
  GC() {
    if (existsSync(join(leases, 'slow'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    const valid = settings['cni.dev/valid-attachments'].map((one) => `${one.containerID} ${one.ifname}`);
    for (const address of addresses()) if (!valid.includes(ownerOf(address))) rmSync(join(leases, address));
  },
  STATUS() {
    if (existsSync(join(leases, 'closed'))) fail(50, 'the books are closed');
  },
};
verbs[command]();
