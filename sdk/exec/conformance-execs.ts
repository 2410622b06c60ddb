import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSeqpacket } from '../linux/index.ts';
import { collect, type ExecCases, gone, nextExit, refuses, running, sizeTeller, socketOf, tellsSize } from './conformance-harness.ts';

/** Further processes. */
export const execsCases: ExecCases = {
  'exec.exit-code': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'echo out; echo err >&2; exit 9' });
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    const { streams } = await subject.driver.exec(exec, subject.ctx);
    await using client = await connectSeqpacket(socketOf(streams));
    const { pid } = await subject.driver.execStart(exec, subject.ctx);
    assert.ok(pid > 0);
    assert.deepEqual(await collect(client), { stdout: 'out\n', stderr: 'err\n' });
    assert.equal((await exit).exitCode, 9);
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.stdin-eof': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'cat', openStdin: true });
    const { streams } = await subject.driver.exec(exec, subject.ctx);
    await using client = await connectSeqpacket(socketOf(streams));
    await subject.driver.execStart(exec, subject.ctx);
    await client.write(Buffer.from('in'));
    await client.shutdownWrite();
    assert.equal((await collect(client)).stdout, 'in');
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.detached': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'exit 4', detached: true });
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    assert.ok((await subject.driver.exec(exec, subject.ctx)).pid > 0);
    assert.equal((await exit).exitCode, 4);
    await subject.driver.execDelete(exec, subject.ctx);
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.not-found': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { args: ['/no/such/program'] });
    await subject.driver.exec(exec, subject.ctx);
    await assert.rejects(subject.driver.execStart(exec, subject.ctx), { reason: 'COMMAND_NOT_FOUND' });
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.never-started': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'true' });
    const { monitorPid } = await subject.driver.exec(exec, subject.ctx);
    await subject.driver.execDelete(exec, subject.ctx);
    await gone(monitorPid);
  },
  'exec.tty-resize': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: sizeTeller, tty: true, openStdin: true });
    const { streams } = await subject.driver.exec(exec, subject.ctx);
    await using client = await connectSeqpacket(socketOf(streams));
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    await subject.driver.execStart(exec, subject.ctx);
    await subject.driver.resize({ id: container.id, execId: exec.execId, rows: 44, columns: 111 }, subject.ctx);
    await tellsSize(client, '44 111');
    await subject.driver.signal({ id: container.id, execId: exec.execId, signal: 9 }, subject.ctx);
    await exit;
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.signal': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'while true; do sleep 60; done', detached: true });
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    await subject.driver.exec(exec, subject.ctx);
    await subject.driver.signal({ id: container.id, execId: exec.execId, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await refuses('conflict', subject.driver.signal({ id: container.id, execId: exec.execId, signal: 9 }, subject.ctx));
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.start-twice': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'true' });
    await subject.driver.exec(exec, subject.ctx);
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    await subject.driver.execStart(exec, subject.ctx);
    await refuses('conflict', subject.driver.execStart(exec, subject.ctx));
    await exit;
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.outlives-a-restart': async (subject) => {
    const container = await running(subject);
    const exec = subject.exec(container.request, { script: 'while true; do sleep 60; done', detached: true });
    const { monitorPid } = await subject.driver.exec(exec, subject.ctx);
    const again = { ...subject, driver: await subject.restart() };
    const exit = nextExit(again, container.id, { execId: exec.execId });
    await again.driver.signal({ id: container.id, execId: exec.execId, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await gone(monitorPid);
    await again.driver.execDelete(exec, subject.ctx);
    await again.driver.delete({ id: container.id, force: true }, subject.ctx);
  },
  'exec.ended-during-a-restart': async (subject) => {
    const container = await running(subject);
    const exec = subject.exec(container.request, { script: 'sleep 0.2; exit 8', detached: true });
    const { monitorPid } = await subject.driver.exec(exec, subject.ctx);
    const again = { ...subject, driver: await subject.restart(() => sleep(500)) };
    assert.equal((await nextExit(again, container.id, { execId: exec.execId })).exitCode, 8);
    await gone(monitorPid);
    await again.driver.execDelete(exec, subject.ctx);
    await again.driver.delete({ id: container.id, force: true }, subject.ctx);
  },
  'exec.prepared-is-gone-after-a-restart': async (subject) => {
    if (subject.isDescribed === true) return 'the engine prepared it, which does not restart with the plugin';
    const container = await running(subject);
    const exec = subject.exec(container.request, { script: 'true' });
    const { monitorPid } = await subject.driver.exec(exec, subject.ctx);
    const again = { ...subject, driver: await subject.restart() };
    await gone(monitorPid);
    await refuses('conflict', again.driver.execStart(exec, subject.ctx));
    await again.driver.execDelete(exec, subject.ctx);
    await again.driver.delete({ id: container.id, force: true }, subject.ctx);
    return undefined;
  },
  'exec.ends-with-its-container': async (subject) => {
    const container = await running(subject);
    const exec = subject.exec(container.request, { script: 'while true; do sleep 60; done', detached: true });
    const exit = nextExit(subject, container.id, { execId: exec.execId });
    const { pid } = await subject.driver.exec(exec, subject.ctx);
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await gone(pid);
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
  },
};
