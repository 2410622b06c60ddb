import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mount } from '@gantry/sdk/author';
import type { Mount } from '@gantry/sdk';
import { withServerAddress } from '../../../sdk/mounts/server-address.ts';

const cases: readonly (readonly [described: Mount, options: readonly string[]])[] = [
  [mount.nfs4('127.0.0.1:/a'), ['addr=127.0.0.1']],
  [mount.nfs('localhost:/a', ['soft']), ['soft', 'addr=127.0.0.1']],
  [mount.nfs4('[::1]:/a'), ['addr=::1']],
  [mount.nfs4('nowhere.invalid:/a', ['addr=1.2.3.4']), ['addr=1.2.3.4']],
  [mount.nfs4(':/a', ['addr=localhost', 'ro']), ['ro', 'addr=127.0.0.1']],
  [mount.cifs('//localhost/share', ['username=x']), ['username=x', 'addr=127.0.0.1']],
  [{ type: 'smb3', source: { opaque: '//10.0.0.1/s' } }, ['addr=10.0.0.1']],
  [mount.nfs4('nonsense'), []],
  [mount.ext4('image', ['addr=localhost']), ['addr=localhost']],
  [mount.tmpfs(), []],
];
for (const [described, options] of cases) {
  test(`withServerAddress() makes ${JSON.stringify(options)} of ${JSON.stringify(described)}`, async () => {
    const seen = await withServerAddress(described, {});
    assert.deepEqual(
      seen.map((option) => option.replace(/^addr=::ffff:/, 'addr=')),
      options,
    );
  });
}

test('withServerAddress() names the server that nobody knows, and does not outlast an abort', async () => {
  await assert.rejects(withServerAddress(mount.nfs4('no-such-server.invalid:/x'), {}), {
    code: 'unavailable',
    message: 'address of server no-such-server.invalid not found',
  });
  const gone = AbortSignal.abort(new DOMException('left', 'AbortError'));
  await assert.rejects(withServerAddress(mount.nfs4('no-such-server.invalid:/x'), { signal: gone }), { name: 'AbortError' });
});
