import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngine } from '../../../core/index.ts';
import { DockerApi } from '../../support/clients/docker-api.ts';
import { startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { DockerVolumePlugin } from '../../support/plugins/docker-volume-plugin.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

test('an engine uses Docker plugins by their names as soon as their sockets are there, and says at once when they are not', async () => {
  const root = mkdtempSync(join(tmpdir(), 'docker-plugins-'));
  const sockets = join(root, 'sockets');
  const pluginSettings = { 'gantry.compat.docker-plugin-v1': { socketFolders: [sockets], specFolders: [] } };
  {
    const roots = { dataRoot: join(root, 'data'), execRoot: join(root, 'run') };
    await using engine = await createEngine({ ...roots, pluginSettings, authorizationPlugins: ['guard'] });
    await using _serving = await engine.serve({ hosts: [`unix://${join(root, 'api.sock')}`] });
    const api = new DockerApi(join(root, 'api.sock'));
    assert.match((await api.request('GET /v1.51/volumes')).text, /plugin guard failed with error/);
    const allow = { 'AuthZPlugin.AuthZReq': () => ({ Allow: true }), 'AuthZPlugin.AuthZRes': () => ({ Allow: true }) };
    await using guard = await startDockerPlugin(join(sockets, 'guard.sock'), ['authz'], allow);
    const create = { body: { Name: 'data', Driver: 'disk', DriverOpts: { colour: 'red' } } };
    assert.equal((await api.request('POST /v1.51/volumes/create', create)).status, 404);
    using plugin = new DockerVolumePlugin(join(root, 'plugin'));
    await using _served = await startDockerPlugin(join(sockets, 'disk.sock'), ['VolumeDriver'], plugin.methods);
    const made = await api.json<{ readonly Driver: string; readonly Scope: string }>('POST /v1.51/volumes/create', create);
    assert.deepEqual([made.Driver, made.Scope], ['disk', 'global']);
    const { Volumes, Warnings } = await api.json<{ Volumes: readonly { readonly Name: string }[]; Warnings: unknown }>(
      'GET /v1.51/volumes',
    );
    assert.deepEqual([Volumes.map(({ Name }) => Name), Warnings], [['data'], null]);
    assert.equal((await api.request('DELETE /v1.51/volumes/data')).status, 204);
    assert.ok(guard.calls.includes('AuthZPlugin.AuthZRes'));
  }
  rmSync(root, { recursive: true });
});
