import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRoots } from '../../core/roots.ts';

test('openRoots() forgets what an earlier boot left in the exec root, and leaves sockets that systemd listens on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'roots-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [dataRoot, execRoot] = [join(folder, 'data'), join(folder, 'exec')];
  mkdirSync(join(execRoot, 'bundles/old'), { recursive: true, mode: 0o711 });
  writeFileSync(join(execRoot, 'boot-id'), 'another');
  const socket = join(execRoot, 'gantry.sock');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  t.after(() => void server.close());
  openRoots({ dataRoot, execRoot })[Symbol.dispose]();
  assert.deepEqual([existsSync(join(execRoot, 'bundles')), existsSync(socket)], [false, true]);
});
