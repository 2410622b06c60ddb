import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import Docker from 'dockerode';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';

inNamespaces(import.meta.url);

const timeout = 60_000;
let daemon: Daemon;
let docker: Docker;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'dockerode-')) });
  docker = new Docker({ socketPath: daemon.places.socketPath });
  const loading = await docker.loadImage(Readable.from([busyboxImage().archive]));
  await new Promise<void>((resolve, reject) => docker.modem.followProgress(loading, (error) => (error ? reject(error) : resolve())));
});
after(() => daemon[Symbol.asyncDispose]());

async function outputOf(stream: NodeJS.ReadableStream): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => [out.end(), err.end()]);
  const [stdout, stderr] = await Promise.all([text(out), text(err)]);
  return { stdout, stderr };
}

test('dockerode: run with its output, and the exit code', { timeout }, async () => {
  const shown = new PassThrough();
  const [result] = (await docker.run('busybox', ['sh', '-c', 'echo hi; exit 3'], shown)) as [{ StatusCode: number }];
  assert.deepEqual([result.StatusCode, await text(shown)], [3, 'hi\r\n']);
});

test('dockerode: attach by an upgraded connection, typed at and read', { timeout }, async () => {
  const container = await docker.createContainer({ Image: 'busybox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const output = outputOf(stream);
  await container.start();
  stream.write('typed\n');
  stream.end();
  assert.deepEqual(await output, { stdout: 'typed\n', stderr: '' });
  assert.equal(((await container.wait()) as { StatusCode: number }).StatusCode, 0);
  await container.remove();
});

test('dockerode: exec with both streams and its code, stats, top, logs that are followed, archives', { timeout }, async () => {
  const container = await docker.createContainer({
    Image: 'busybox',
    name: 'ode',
    Cmd: ['sh', '-c', 'echo a; echo b >&2; sleep 1; echo c; sleep 600'],
  });
  await container.start();
  const exec = await container.exec({ Cmd: ['sh', '-c', 'echo o; echo e >&2; exit 4'], AttachStdout: true, AttachStderr: true });
  assert.deepEqual(await outputOf(await exec.start({ hijack: true, stdin: false })), { stdout: 'o\n', stderr: 'e\n' });
  assert.equal((await exec.inspect()).ExitCode, 4);
  assert.ok(((await container.stats({ stream: false })) as { memory_stats: { usage: number } }).memory_stats.usage > 0);
  assert.match(JSON.stringify(await container.top()), /sleep/);
  await container.putArchive(Buffer.concat([entry('given', 'data'), endOfArchive]), { path: '/tmp' });
  assert.match(await text(await container.getArchive({ path: '/tmp/given' })), /data/);
  const following = await container.logs({ follow: true, stdout: true, stderr: true });
  const lines = outputOf(following);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await container.stop({ t: 0 });
  assert.deepEqual(await lines, { stdout: 'a\nc\n', stderr: 'b\n' });
  await container.remove();
});

test('dockerode: networks, volumes, images, events, prune, and errors with their status', { timeout }, async () => {
  const events = await docker.getEvents({ filters: JSON.stringify({ type: ['network'] }) });
  const network = await docker.createNetwork({ Name: 'ode-net', CheckDuplicate: true });
  const [event] = (await once(events, 'data')) as [Buffer];
  assert.deepEqual(Object.values(JSON.parse(event.toString()) as Record<string, string>).slice(0, 2), ['network', 'create']);
  (events as unknown as Readable).destroy();
  await network.remove();
  await docker.createVolume({ Name: 'ode-volume' });
  assert.equal((await docker.listVolumes({ filters: { name: ['ode'] } })).Volumes.length, 1);
  await docker.getVolume('ode-volume').remove();
  await docker.getImage('busybox').tag({ repo: 'ode', tag: '1' });
  assert.equal((await docker.listImages({ filters: { reference: ['ode:*'] } })).length, 1);
  await docker.getImage('ode:1').remove();
  await docker.pruneContainers();
  await assert.rejects(docker.getContainer('nope').inspect(), { statusCode: 404 });
  assert.equal(((await docker.info()) as { Swarm: { LocalNodeState: string } }).Swarm.LocalNodeState, 'inactive');
});

test('dockerode: builds told step by step, and where one failed', { timeout }, async () => {
  const build = async (dockerfile: string): Promise<readonly { readonly stream?: string; readonly error?: string }[]> => {
    const context = Readable.from([Buffer.concat([entry('Dockerfile', dockerfile), entry('said', 'by the context\n'), endOfArchive])]);
    const stream = await docker.buildImage(context, { t: 'built:1', buildargs: { WHO: 'ode' } });
    return new Promise((resolve) => docker.modem.followProgress(stream, (_error, told) => resolve(told)));
  };
  const told = await build('FROM busybox\nARG WHO\nCOPY said /\nRUN echo $WHO; cat /said\nLABEL made=yes\n');
  const shown = told.map(({ stream = '' }) => stream).join('');
  assert.match(
    shown,
    /^Step 1\/5 : FROM busybox\n[\s\S]*\node\nby the context\n[\s\S]*Successfully built [0-9a-f]{12}\nSuccessfully tagged built:1\n$/,
  );
  assert.deepEqual((await docker.getImage('built:1').inspect()).Config.Labels, { made: 'yes' });
  const failed = await build('FROM busybox\nRUN exit 4\n');
  assert.match(failed.at(-1)?.error ?? '', /The command '\/bin\/sh -c exit 4' returned a non-zero code: 4/);
  await docker.getImage('built:1').remove();
});
