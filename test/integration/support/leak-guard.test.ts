import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { leakGuard, noLeaks } from '../../support/machine/leak-guard.ts';

inNamespaces(import.meta.url);
leakGuard();

const root = join(tmpdir(), 'root');
const cgroupRoot = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
mkdirSync(root);

interface Leak {
  readonly shown: RegExp;
  /** Leaves something; returns its undo. */
  readonly leave: () => () => unknown;
}

const leaks: Readonly<Record<string, Leak>> = {
  'a mount': { shown: /^\+ mount: \/run\/tmp \(tmpfs\)$/m, leave: () => run('mount -t tmpfs tmpfs /run/tmp', 'umount /run/tmp') },
  'a link': { shown: /^\+ link: leak0$/m, leave: () => run('ip link add leak0 type bridge', 'ip link del leak0') },
  'an address': {
    shown: /^\+ address: lo inet 10\.9\.8\.7\/32$/m,
    leave: () => run('ip address add 10.9.8.7 dev lo', 'ip address del 10.9.8.7/32 dev lo'),
  },
  'a rule set': { shown: /^\+ firewall: table inet leak \{$/m, leave: () => run('nft add table inet leak', 'nft delete table inet leak') },
  'a cgroup': {
    shown: /^\+ cgroup: .*\/leak$/m,
    leave: () => run(`mkdir ${cgroupRoot}/leak`, `rmdir ${cgroupRoot}/leak`),
  },
  'a file': { shown: /^\+ file: \/run\/tmp\/root\/leak$/m, leave: () => run(`touch ${root}/leak`, `rm ${root}/leak`) },
  'a row': {
    shown: /^\+ row: container 1$/m,
    leave: () => {
      rows.push('container 1');
      return () => rows.pop();
    },
  },
  'a descriptor': {
    shown: /^\+ descriptor: \/dev\/null$/m,
    leave: () => {
      const fd = openSync('/dev/null', 'r');
      return () => closeSync(fd);
    },
  },
  'a process': {
    shown: /^\+ process: sleep 77$/m,
    leave: () => {
      const child = spawn('sleep', ['77'], { stdio: 'ignore' });
      return () => child.kill();
    },
  },
  'a timer': {
    shown: /^\+ handle: Timeout$/m,
    leave: () => {
      const timer = setTimeout(() => undefined, 60_000);
      return () => clearTimeout(timer);
    },
  },
  'a unix socket': {
    shown: /^\+ unix socket: \/run\/tmp\/leak\.sock$/m,
    leave: () => {
      const server = createServer(() => undefined).listen('/run/tmp/leak.sock');
      return () => server.close();
    },
  },
};
const rows: string[] = [];

for (const [name, { shown, leave }] of Object.entries(leaks)) {
  test(`noLeaks() shows ${name}`, async () => {
    const guard = noLeaks({ roots: [root], rows: () => rows, settleMs: 0 });
    const undo = leave();
    try {
      await assert.rejects(async () => guard[Symbol.asyncDispose](), shown);
    } finally {
      undo();
    }
  });
}

test('noLeaks() waits for what is on its way out and does not mind what went away', async () => {
  mkdirSync(join(root, 'went'));
  await using _guard = noLeaks({ roots: [root] });
  rmdirSync(join(root, 'went'));
  setTimeout(() => undefined, 50);
});

function run(leave: string, undo: string): () => void {
  execFileSync('sh', ['-c', leave]);
  return () => void execFileSync('sh', ['-c', undo], { stdio: 'ignore' });
}
