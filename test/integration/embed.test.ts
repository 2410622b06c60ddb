import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '@gantry/engine';
import { busyboxImage } from '../support/images/busybox.ts';
import { noLeaks } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('createEngine() runs containers in this process by its interface alone, and leaves nothing once they are removed and it is disposed', async () => {
  // The first makes what stays for all later ones: the parent of all control groups.
  await embed();
  await using _nothingLeft = noLeaks();
  await embed();
});

/** The engine in a program of one's own: no daemon, no socket, no HTTP. */
async function embed(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'embed-'));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(folder, { recursive: true }));
  const engine = undo.use(await createEngine({ dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') }));
  const { images, containers, execs } = engine;

  // An archive as `docker save` writes it; `images.pull()` does the same from a registry when a transport plugin is there.
  const [loaded] = await images.load(chunks(busyboxImage().archive), {});
  assert.equal(loaded?.reference, 'busybox:latest');

  // Requests have the words of Docker's API.
  const { id } = await containers.create({
    name: 'hello',
    config: { Image: 'busybox', Cmd: ['sh', '-c', 'echo hello; echo trouble >&2; exec sleep 60'], Labels: { app: 'embedded' } },
    hostConfig: { NetworkMode: 'none' },
  });
  await containers.start('hello');
  assert.equal(containers.inspect('hello').state.status, 'running');
  assert.deepEqual(
    containers.list({ filters: { label: ['app=embedded'] } }).map(({ name }) => name),
    ['hello'],
  );

  // Another process in it, with its output.
  const exec = await execs.create('hello', { cmd: ['sh', '-c', 'echo from $NAME'], env: ['NAME=exec'], attachStdout: true });
  const { attached } = await execs.start(exec.id, { detach: false });
  let said = '';
  for await (const { data } of attached?.output ?? []) said += data.toString();
  assert.deepEqual([said, execs.inspect(exec.id).exitCode], ['from exec\n', 0]);

  // Whoever waits is registered before the call returns: no end is missed.
  const { result } = containers.wait('hello', 'not-running');
  await containers.kill('hello');
  assert.equal((await result).exitCode, 137);

  const { lines } = await containers.logs('hello', { stdout: true, stderr: true });
  const written: string[] = [];
  for await (const batch of lines) written.push(...batch.map(({ source, data }) => `${source}: ${data.toString().trim()}`));
  assert.deepEqual(written.toSorted(), ['stderr: trouble', 'stdout: hello']);

  // Failures are errors with a code.
  await assert.rejects(containers.start('nobody'), { code: 'not_found', message: 'No such container: nobody' });
  await containers.remove(id);
  assert.deepEqual(containers.list({ all: true }), []);
}

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
