import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { driverContext } from '../../../core/drivers/index.ts';
import { RegistryDriver } from '../../../plugins/transport/registry/driver.ts';
import { settingsOf } from '../../../plugins/transport/registry/settings.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { type Reply, reply, scriptedRegistry } from '../../support/servers/scripted-registry.ts';

inNamespaces(import.meta.url);
leakGuard();

async function search(replies: Readonly<Record<string, Reply>>, limit = 25) {
  await using registry = await scriptedRegistry(replies);
  using driver = new RegistryDriver(settingsOf({ attempts: 1, answerTimeoutMs: 2000 }));
  const { results } = await driver.search({ host: registry.host, term: 'App', limit }, driverContext(quietLog));
  return { results: results.map(({ name, ...rest }) => ({ name: name.replace(registry.host, 'HOST'), ...rest })), asked: registry.asked };
}

test('a registry with a search answers it, and what it says is safe for terminals', async () => {
  const result = { name: 'acme/app', description: 'a\u001b[31m\nb', star_count: 7, is_official: true, is_automated: false };
  const { results, asked } = await search({ 'GET /v1/search': reply(200, { results: [result, { name: 'second', star_count: -1 }] }) });
  assert.deepEqual(results[0], { name: 'acme/app', description: 'a [31m b', stars: 7, isOfficial: true, isAutomated: false });
  assert.deepEqual(results[1], { name: 'second', description: '', stars: 0, isOfficial: false, isAutomated: false });
  assert.deepEqual(asked, ['GET /v1/search?q=App&n=25']);
});

test('one without is asked for its names', async () => {
  const catalog = { 'GET /v2/_catalog': reply(200, { repositories: ['acme/app', 'other', 'app2', 7] }) };
  const names = async (limit?: number) => (await search(catalog, limit)).results.map(({ name }) => name);
  assert.deepEqual(await names(), ['HOST/acme/app', 'HOST/app2']);
  assert.deepEqual(await names(1), ['HOST/acme/app']);
});

const failures: Readonly<Record<string, readonly [Readonly<Record<string, Reply>>, string]>> = {
  'a page': [{ '*': reply(200, '<html>') }, 'unavailable'],
  'no results': [{ '*': reply(200, {}) }, 'unavailable'],
  'no catalog': [{ 'GET /v2/_catalog': reply(200, { repositories: 'x' }) }, 'unavailable'],
  'that it has neither': [{}, 'not_found'],
  'that it is closed': [{ '*': reply(401, '', { 'www-authenticate': 'Basic realm="x"' }) }, 'unauthorized'],
};
for (const [what, [replies, code]] of Object.entries(failures))
  test(`a search fails with ${code} where the registry answers ${what}`, () =>
    assert.rejects(search(replies), (error: Error) => codeOf(error) === code));
