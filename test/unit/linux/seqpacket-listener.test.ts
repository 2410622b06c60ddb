import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectSeqpacket, SeqpacketListener, type SeqpacketSocket } from '@gantry/sdk/linux';

test('SeqpacketListener tells each connection once, at a path of any length, and takes the place of a dead one', async () => {
  const top = mkdtempSync(join(tmpdir(), 'listener-'));
  try {
    const folder = join(top, 'a'.repeat(100));
    mkdirSync(folder);
    const path = join(folder, 'socket');
    const dead = new SeqpacketListener(path, () => assert.fail('nobody connects'));
    dead[Symbol.dispose]();
    const accepted: SeqpacketSocket[] = [];
    {
      using listener = new SeqpacketListener(path, (socket) => accepted.push(socket));
      const clients = [await connectSeqpacket(path), await connectSeqpacket(path)];
      listener.acceptWaiting();
      listener.acceptWaiting();
      assert.equal(accepted.length, 2);
      await accepted[0]?.write(Buffer.from('hello'));
      await accepted[0]?.shutdownWrite();
      const packets = await Array.fromAsync(clients[0]?.packets() ?? []);
      assert.deepEqual(packets.map(String), ['hello']);
      for (const socket of [...clients, ...accepted]) socket.close();
    }
    assert.ok(!existsSync(path));
    await assert.rejects(connectSeqpacket(path), { code: 'ENOENT' });
  } finally {
    rmSync(top, { recursive: true });
  }
});
