import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connectSeqpacket } from '../linux/index.ts';
import { collect, create, type ExecCases, finish, outputOf, sizeTeller, socketOf, tellsSize } from './conformance-harness.ts';

/** What goes in and comes out. */
export const streamsCases: ExecCases = {
  'spool.has-the-output': async (subject) => {
    await using container = await create(subject, { script: 'echo one; echo two >&2' });
    await finish(subject, container.id);
    const lines = readFileSync(`${container.request.spoolDir}/ctr.log`, 'utf8').trim().split('\n');
    assert.deepEqual(lines.map((line) => line.split(' ').slice(1).join(' ')).toSorted(), ['stderr F two', 'stdout F one']);
  },
  'attach.output-and-input': async (subject) => {
    await using container = await create(subject, { script: 'read line; echo "got $line"; echo bad >&2', openStdin: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await client.write(Buffer.from('hello\n'));
    assert.deepEqual(await collect(client), { stdout: 'got hello\n', stderr: 'bad\n' });
  },
  'attach.end-of-stdin': async (subject) => {
    await using container = await create(subject, { script: 'cat; echo end', openStdin: true, stdinOnce: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await client.write(Buffer.from('hello\n'));
    await client.shutdownWrite();
    assert.deepEqual(await collect(client), { stdout: 'hello\nend\n', stderr: '' });
  },
  'attach.many-clients': async (subject) => {
    await using container = await create(subject, { script: 'echo all' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => connectSeqpacket(socketOf(container.streams))));
    await subject.driver.start(container, subject.ctx);
    for (const client of clients) assert.equal((await collect(client)).stdout, 'all\n');
    for (const client of clients) client.close();
  },
  'tty.resize': async (subject) => {
    await using container = await create(subject, { script: sizeTeller, tty: true, openStdin: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await subject.driver.resize({ id: container.id, rows: 33, columns: 99 }, subject.ctx);
    await tellsSize(client, '33 99');
  },
  'attach.stdin-outlives-a-client': async (subject) => {
    await using container = await create(subject, { script: 'read one; read two; echo "$one $two"', openStdin: true });
    await using reader = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    for (const line of ['a\n', 'b\n']) {
      await using client = await connectSeqpacket(socketOf(container.streams));
      await client.write(Buffer.from(line));
      await client.shutdownWrite();
    }
    assert.equal((await collect(reader)).stdout, 'a b\n');
  },
  'io.binary-clean': async (subject) => {
    const bytes = Buffer.from(Array.from({ length: 65_536 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
    await using container = await create(subject, { script: 'cat', openStdin: true, stdinOnce: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    const sent = client.write(bytes).then(() => client.shutdownWrite());
    const parts: Buffer[] = [];
    for await (const packet of client.packets()) parts.push(packet.subarray(1));
    await sent;
    assert.ok(Buffer.concat(parts).equals(bytes), 'what came back is not what was sent');
  },
  'tty.raw': async (subject) => {
    const { stdout } = await outputOf(subject, { script: 'echo cooked; stty -opost; echo raw', tty: true });
    assert.equal(stdout, 'cooked\r\nraw\n');
  },
};
