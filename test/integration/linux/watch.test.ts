import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { pollInTurns } from '../../../sdk/linux/sockets/polling.ts';
import { pidfdOpen, pipe, posixSpawn, run, waitForExit, waitpid, Watch, whenReadable } from '@gantry/sdk/linux';

test('a worker with an active Watch can be terminated', async () => {
  const script = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { Watch, pipe } = await import(workerData);
    new Watch(pipe().reader, () => undefined);
    parentPort.postMessage('watching');`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
    workerData: import.meta.resolve('@gantry/sdk/linux'),
  });
  await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  assert.equal(await worker.terminate(), 1);
});

test('a worker whose watched descriptors are ready can be terminated without the process', () => {
  const worker = `
    import { writeSync } from 'node:fs';
    import { parentPort, workerData } from 'node:worker_threads';
    const { Watch, pipe } = await import(workerData);
    for (const { reader, writer } of Array.from({ length: 20 }, pipe)) {
      writeSync(writer, 'x');
      new Watch(reader, () => undefined);
    }
    parentPort.postMessage('watching');`;
  const url = `data:text/javascript,${encodeURIComponent(worker)}`;
  const script = `
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 20; round += 1) {
      const worker = new Worker(new URL(${JSON.stringify(url)}), { workerData: ${JSON.stringify(import.meta.resolve('@gantry/sdk/linux'))} });
      await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
      await worker.terminate();
    }
    console.log('alive');`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [0, 'alive\n'], stderr);
});

test('whenReadable() rejects on abort and leaves the descriptor usable', async () => {
  const { reader, writer } = pipe();
  await assert.rejects(whenReadable(reader, { signal: AbortSignal.timeout(10) }), { name: 'TimeoutError' });
  await assert.rejects(whenReadable(reader, { signal: AbortSignal.abort(new Error('before')) }), { message: 'before' });
  closeSync(writer);
  await whenReadable(reader);
  closeSync(reader);
});

test('Watch tells the writer of a pipe whose reader has gone, once, and rests', async () => {
  const { reader, writer } = pipe();
  closeSync(reader);
  let calls = 0;
  const first = Promise.withResolvers<void>();
  const watch = new Watch(
    writer,
    () => {
      calls++;
      first.resolve();
    },
    { readable: false, writable: true },
  );
  await first.promise;
  await run({ file: 'true' });
  assert.equal(calls, 1);
  watch[Symbol.dispose]();
  closeSync(writer);
});

test('200 children are waited for at once, and each one reaped', async () => {
  const pids = Array.from({ length: 200 }, (_, index) => posixSpawn({ file: 'sh', argv: ['sh', '-c', `exit ${index % 7}`] }));
  const codes = await Promise.all(pids.map(async (pid) => (await waitForExit(pid))?.exitCode));
  assert.deepEqual(
    codes,
    pids.map((_, index) => index % 7),
  );
  assert.equal(waitpid(-1), 'not-ours');
  assert.throws(() => pidfdOpen(pids[0] ?? 0), { code: 'ESRCH' });
});

test('pollInTurns() calls back while something is ready, at the end of a pipe, and once for a descriptor that is closed', async () => {
  const { reader, writer } = pipe();
  const told: unknown[] = [];
  let next = Promise.withResolvers<void>();
  const handle = pollInTurns(reader, { readable: true }, (status) => {
    told.push(status);
    next.resolve();
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(told.length, 0);
  assert.throws(() => readSync(reader, Buffer.alloc(1)), { code: 'EAGAIN' }, 'the descriptor does not block');
  writeSync(writer, 'x');
  await next.promise;
  assert.equal(told[0], 0);
  handle.stop();
  readSync(reader, Buffer.alloc(1));
  next = Promise.withResolvers();
  handle.start({ readable: true }, (status) => {
    told.splice(0, told.length, 'end', status);
    handle.stop();
    next.resolve();
  });
  closeSync(writer);
  await next.promise;
  assert.deepEqual(told, ['end', 0]);
  next = Promise.withResolvers();
  closeSync(reader);
  handle.start({ readable: true }, (status) => {
    told.splice(0, told.length, status as number);
    next.resolve();
  });
  await next.promise;
  assert.deepEqual(told, [-1]);
  handle.close();
});
