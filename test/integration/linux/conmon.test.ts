import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindMount, connectSeqpacket, isErrno, run, whenReadable, pidfdOpen, type SeqpacketSocket } from '@gantry/sdk/linux';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const root = '/run/conmon';
const bundle = `${root}/bundle`;
const isMissing = !['conmon', 'runc'].every((name) =>
  ['/usr/bin', '/usr/sbin', '/usr/local/bin'].some((folder) => existsSync(`${folder}/${name}`)),
);

test('SeqpacketSocket feeds a container under a real conmon and hears all it says', {
  skip: isMissing ? 'needs conmon and runc' : false,
}, async () => {
  await writeBundle(['sh', '-c', 'echo started; wc -c; echo ended >&2; exit 7']);
  const started = await run({ file: 'conmon', argv: conmonArguments(), timeoutMs: 10_000 });
  assert.equal(started.exitCode, 0, started.stderr.toString());
  const conmon = await numberIn(`${root}/conmon.pid`);
  await numberIn(`${root}/pid`);

  await using socket = await connectSeqpacket(`${bundle}/attach`);
  const hearing = hear(socket);
  assert.equal((await run({ file: 'runc', argv: ['runc', 'start', 'c1'] })).exitCode, 0);
  for (let sent = 0; sent < 10; sent++) await socket.write(Buffer.alloc(1_000_000, 'x'));
  await socket.shutdownWrite();
  assert.deepEqual(await hearing, { stdout: 'started\n10000000\n', stderr: 'ended\n' });
  await gone(conmon);
  assert.equal(readFileSync(`${root}/exits/c1`, 'utf8'), '7');
});

async function writeBundle(args: readonly string[]): Promise<void> {
  for (const folder of ['bundle/rootfs', 'sockets', 'exits']) mkdirSync(`${root}/${folder}`, { recursive: true });
  bindMount('/', `${bundle}/rootfs`, { readOnly: true });
  await run({ file: 'runc', argv: ['runc', 'spec'], cwd: bundle });
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as { process: Record<string, unknown> };
  config.process = { ...config.process, terminal: false, args };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
}

function conmonArguments(): readonly string[] {
  const runtime = existsSync('/usr/sbin/runc') ? '/usr/sbin/runc' : '/usr/bin/runc';
  const files = ['--container-pidfile', `${root}/pid`, '--conmon-pidfile', `${root}/conmon.pid`, '--exit-dir', `${root}/exits`];
  const streams = ['--socket-dir-path', `${root}/sockets`, '--full-attach', '--stdin', '--log-path', `k8s-file:${root}/log`];
  return [
    'conmon',
    '--api-version',
    '1',
    '--cid',
    'c1',
    '--cuuid',
    'c1',
    '--name',
    'c1',
    '--runtime',
    runtime,
    '--bundle',
    bundle,
    ...files,
    ...streams,
  ];
}

/** Every packet begins with a byte that says whence it comes: 2 stdout, 3 stderr. */
async function hear(socket: SeqpacketSocket): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const heard = { stdout: '', stderr: '' };
  for await (const packet of socket.packets()) heard[packet[0] === 3 ? 'stderr' : 'stdout'] += packet.subarray(1).toString();
  return heard;
}

async function numberIn(path: string): Promise<number> {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await sleep(5);
  return Number(readFileSync(path, 'utf8'));
}

async function gone(pid: number): Promise<void> {
  try {
    await whenReadable(pidfdOpen(pid));
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
