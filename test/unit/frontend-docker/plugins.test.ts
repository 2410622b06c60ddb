import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PluginInfo } from '@gantry/sdk/engine';
import { type DockerApi, dockerApi, readAll } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

const nfs = 'reg:5000/acme/nfs:1.4';
const engine = memoryEngine();
let api: DockerApi & AsyncDisposable;
before(async () => {
  api = await dockerApi(engine);
  await engine.plugins.install({ source: nfs, alias: nfs, grant: 'all', enable: true, settings: { TOKEN: 'hidden' } });
});
after(() => api[Symbol.asyncDispose]());

interface Row {
  readonly line: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly message?: string | RegExp;
}
const own = '/gantry/v1/plugins';
const notFound = 'plugin "nope" not found';
const noReference = 'invalid reference format';
const notAList = /cannot unmarshal object into Go value of type \[\]/;

const rows: readonly Row[] = [
  { line: 'GET /plugins?filters={', status: 400, message: 'invalid filter' },
  { line: 'GET /plugins?filters={"zz":["1"]}', status: 400, message: "invalid filter 'zz'" },
  { line: 'GET /plugins?filters={"__proto__":["1"]}', status: 400, message: "invalid filter '__proto__'" },
  { line: 'GET /plugins?filters={"state":["ready"]}', status: 400, message: "invalid filter 'state'" },
  { line: 'GET /plugins?filters={"enabled":["x"]}', status: 400, message: "invalid filter 'enabled=[x]'" },
  { line: 'GET /plugins?filters={"enabled":["true","false"]}', status: 400, message: "invalid filter 'enabled=[true false]'" },
  { line: 'GET /plugins/nope/json', status: 404, message: notFound },
  { line: 'GET /plugins/a/b/c/json', status: 404, message: 'plugin "a/b/c" not found' },
  { line: 'GET /plugins/json', status: 404, message: 'page not found' },
  { line: 'GET /plugins/%F0%9F%92%A5/json', status: 404 },
  { line: 'GET /plugins/privileges', status: 400, message: noReference },
  { line: 'GET /plugins/privileges?remote=a b', status: 400, message: noReference },
  { line: 'GET /plugins/privileges?remote=folder:/etc', status: 400, message: noReference },
  { line: 'GET /plugins/privileges?remote=/etc', status: 400, message: noReference },
  { line: `GET /plugins/privileges?remote=${'a'.repeat(600)}`, status: 400, message: noReference },
  {
    line: 'GET /plugins/privileges?remote=Acme/Nfs',
    status: 400,
    message: 'invalid reference format: repository name (Acme/Nfs) must be lowercase',
  },
  { line: 'GET /plugins/privileges?remote=reg:5000/acme/nope', status: 404, message: 'manifest for reg:5000/acme/nope:latest not found' },
  { line: 'POST /plugins/pull', status: 400, message: noReference },
  { line: `POST /plugins/pull?remote=${nfs}&name=two`, status: 400, message: /^incorrect privileges: asked for and not granted: / },
  {
    line: `POST /plugins/pull?remote=${nfs}&name=two`,
    body: [{ Name: 'network', Value: ['none'] }],
    status: 400,
    message: /^incorrect privileges: asked for and not granted: /,
  },
  { line: `POST /plugins/pull?remote=${nfs}&name=two`, body: {}, status: 400, message: notAList },
  { line: `POST /plugins/pull?remote=${nfs}&name=two`, body: [7], status: 400, message: /cannot unmarshal number/ },
  {
    line: `POST /plugins/pull?remote=${nfs}&name=two`,
    body: [{ Name: 'network', Value: 'host' }],
    status: 400,
    message: /PluginPrivilege\.Value of type \[\]string/,
  },
  { line: `POST /plugins/pull?remote=${nfs}&name=two`, body: '[', status: 400, message: 'invalid JSON: unexpected EOF' },
  {
    line: `POST /plugins/pull?remote=${nfs}`,
    body: '[]',
    headers: { 'Content-Type': 'text/plain' },
    status: 400,
    message: /unsupported Content-Type/,
  },
  { line: `POST /plugins/pull?remote=${nfs}&name=B%20C`, status: 400, message: noReference },
  { line: `POST /plugins/pull?remote=${nfs}&name=x@sha256:${'0'.repeat(64)}`, status: 400, message: 'cannot use digest in plugin tag' },
  { line: 'POST /plugins/pull?remote=acme/quiet&name=reg:5000/acme/nfs:1.4', status: 409, message: `plugin "${nfs}" already exists` },
  { line: 'POST /plugins/create', status: 400, message: noReference },
  {
    line: 'POST /plugins/create?name=new',
    body: 'no tar',
    status: 400,
    message: 'the archive has neither config.json nor gantry-plugin.json',
  },
  { line: 'POST /plugins/nope/enable', status: 404, message: notFound },
  { line: 'POST /plugins/nope/enable?timeout=x', status: 404, message: notFound },
  { line: `POST /plugins/${nfs}/enable?timeout=x`, status: 400, message: 'strconv.Atoi: parsing "x": invalid syntax' },
  { line: `POST /plugins/${nfs}/enable?timeout=-1`, status: 400, message: 'negative timeout -1 for enable is not allowed' },
  { line: `POST /plugins/${nfs}/enable?timeout=5`, status: 409, message: `plugin ${nfs} is enabled` },
  { line: 'POST /plugins/nope/disable', status: 404, message: notFound },
  { line: 'POST /plugins/gantry.memory/disable?force=1', status: 403 },
  { line: 'DELETE /plugins/gantry.memory?force=1', status: 403 },
  { line: 'DELETE /plugins/nope', status: 404, message: notFound },
  { line: 'DELETE /plugins/nope?force=1', status: 404, message: notFound },
  { line: `DELETE /plugins/${nfs}`, status: 409, message: `plugin ${nfs} is enabled: disable it first, or remove it with force` },
  { line: 'POST /plugins/nope/set', body: ['A=1'], status: 404, message: notFound },
  { line: `POST /plugins/${nfs}/set`, body: {}, status: 400, message: notAList },
  { line: `POST /plugins/${nfs}/set`, body: [1], status: 400, message: /cannot unmarshal number/ },
  { line: `POST /plugins/${nfs}/set`, body: ['A'], status: 400, message: 'invalid setting "A": write KEY=value' },
  { line: `POST /plugins/${nfs}/set`, body: ['=1'], status: 400, message: 'invalid setting "=1": write KEY=value' },
  { line: `POST /plugins/${nfs}/set`, body: ['__proto__=1'], status: 400, message: /no such setting/ },
  { line: `POST /plugins/nope/upgrade?remote=${nfs}`, body: [], status: 404, message: notFound },
  { line: `POST /plugins/${nfs}/upgrade`, body: [], status: 400, message: noReference },
  {
    line: `POST /plugins/${nfs}/upgrade?remote=reg:5000/acme/nfs:2.0`,
    body: [],
    status: 400,
    message: 'incorrect privileges: asked for and not granted: ["mount type","nfs"]',
  },
  { line: 'POST /plugins/nope/push', status: 404, message: notFound },
  { line: `PUT /plugins/${nfs}/enable`, status: 404, message: 'page not found' },

  { line: `GET ${own}?filters={"zz":["1"]}`, status: 400, message: "invalid filter 'zz'" },
  { line: `GET ${own}/nope/json`, status: 404, message: notFound },
  { line: `GET ${own}/nope/users`, status: 404, message: notFound },
  { line: `GET ${own}/nope/logs`, status: 404, message: notFound },
  { line: `GET ${own}/${nfs}/logs?tail=x`, status: 400, message: 'strconv.Atoi: parsing "x": invalid syntax' },
  { line: `GET ${own}/${nfs}/logs?tail=-1`, status: 400, message: 'invalid value for "tail": -1 is neither "all" nor a number' },
  { line: `GET ${own}/offer`, status: 400, message: 'source is missing' },
  { line: `GET ${own}/offer?source=folder:/nowhere`, status: 404 },
  { line: `POST ${own}/install`, status: 400, message: /Content-Type|EOF/ },
  { line: `POST ${own}/install`, body: {}, status: 400, message: 'source is missing' },
  {
    line: `POST ${own}/install`,
    body: { source: nfs, alias: 'x', grant: 'some' },
    status: 400,
    message: /cannot unmarshal string into Go struct field InstallRequest.grant/,
  },
  {
    line: `POST ${own}/install`,
    body: { source: nfs, alias: 'x' },
    status: 400,
    message: /^incorrect privileges: asked for and not granted: /,
  },
  { line: `POST ${own}/install`, body: { source: nfs, alias: nfs, grant: 'all' }, status: 409, message: `plugin "${nfs}" already exists` },
  { line: `POST ${own}/install`, body: { source: nfs, alias: 'x', grant: 'all', settings: [] }, status: 400, message: /map\[string\]/ },
  {
    line: `POST ${own}/install`,
    body: { source: nfs, alias: 'x', grant: 'all', settings: { NOPE: 1 } },
    status: 400,
    message: /settings.NOPE: no such setting/,
  },
  { line: `POST ${own}/nope/upgrade`, body: { source: nfs }, status: 404, message: notFound },
  { line: `POST ${own}/${nfs}/upgrade`, body: {}, status: 400, message: 'source is missing' },
  { line: `POST ${own}/nope/set`, body: { settings: {} }, status: 404, message: notFound },
  {
    line: `POST ${own}/${nfs}/set`,
    body: { settings: { RETRIES: 'x' } },
    status: 400,
    message: 'settings.RETRIES must be a whole number, not "x"',
  },
  { line: `POST ${own}/nope/rollback`, status: 404, message: notFound },
  { line: `POST ${own}/${nfs}/rollback`, status: 409, message: /was never upgraded/ },
  { line: `POST ${own}/call`, body: {}, status: 400, message: /^kind must be one of graph, .*, not ""$/ },
  { line: `POST ${own}/call`, body: { kind: 'toString' }, status: 400, message: /^kind must be one of/ },
  { line: `POST ${own}/call`, body: { kind: 'volume' }, status: 400, message: 'driver is missing' },
  { line: `POST ${own}/call`, body: { kind: 'volume', driver: 'nfs' }, status: 400, message: 'method is missing' },
  {
    line: `POST ${own}/call`,
    body: { kind: 'volume', driver: 'nope', method: 'list' },
    status: 404,
    message: 'no plugin provides volume/nope',
  },
  { line: `POST ${own}/call`, body: { kind: 'volume', driver: 'nfs', method: 'fly' }, status: 501 },
  {
    line: `POST ${own}/call`,
    body: { kind: 'volume', driver: 'nfs', method: 'create' },
    status: 400,
    message: 'create changes something: it cannot be tried',
  },
  { line: `POST ${own}/bind`, body: { kind: 'volume', driver: 'nfs' }, status: 400, message: 'plugin is missing' },
  { line: `POST ${own}/bind`, body: { kind: 'volume', driver: 'nfs', plugin: 'nope' }, status: 404, message: notFound },
  { line: `POST ${own}/bind`, body: { kind: 'x', driver: 'nfs', plugin: nfs }, status: 400, message: /^kind must be one of/ },
  { line: `POST ${own}/attach`, body: {}, status: 400, message: 'address is missing' },
  { line: `POST ${own}/attach`, body: { address: 'tcp://h:1' }, status: 400, message: 'tcp://h:1 is not unix:///path' },
  {
    line: `POST ${own}/attach`,
    body: { address: 'unix:///x', manifest: { name: 'x' } },
    status: 400,
    message: 'manifest.manifestVersion must be one of 1',
  },
];

for (const { line, status, message, ...given } of rows) {
  const shown = JSON.stringify(given.body ?? '').slice(0, 90);
  test(`the plugin API answers ${status} to ${line.slice(0, 90)} ${shown}`, async () => {
    const [method, path = ''] = line.split(/ (.*)/s);
    const reply = await api.request(`${method} ${path.replaceAll(/[{}"[\] ]/g, encodeURIComponent)}`, given);
    assert.equal(reply.status, status, reply.text);
    const { message: said } = JSON.parse(reply.text) as { readonly message: string };
    if (typeof message === 'string') assert.equal(said, message);
    else if (message !== undefined) assert.match(said, message);
    assert.ok(engine.plugins.list().length === 2, 'a refused request installed something');
  });
}

test('POST /plugins/pull names the plugin in its head, and ends in errors as messages once it has begun', async () => {
  const { headers, text, status } = await api.request('POST /v1.24/plugins/pull?remote=acme/quiet', { body: [] });
  assert.deepEqual([status, headers['docker-plugin-name'], headers['content-type']], [200, 'acme/quiet:latest', 'application/json']);
  const messages = text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line) as { readonly status?: string; readonly progressDetail?: object });
  assert.deepEqual(messages.at(0)?.progressDetail, { current: 10, total: 20 });
  assert.match(messages.at(-1)?.status ?? '', /^Status: Downloaded newer image for acme\/quiet:latest$/);
  assert.equal((await api.request('DELETE /plugins/acme/quiet')).status, 200);
});

test('POST /plugins/pull without a name that ends in a digest calls the plugin by its tag', async () => {
  const { privileges, digest } = await engine.plugins.offer('acme/quiet');
  engine.plugins.packages.add(`acme/quiet:latest@${digest}`, (await engine.plugins.offer('acme/quiet')).manifest);
  const { headers } = await api.request(`POST /plugins/pull?remote=docker.io/acme/quiet:latest@${digest}`, { body: privileges });
  assert.equal(headers['docker-plugin-name'], 'acme/quiet:latest');
  await engine.plugins.remove('acme/quiet:latest');
});

test('X-Registry-Auth reaches the registry; what cannot be read is refused, null and nothing are none', async () => {
  const auth = (value: string) => ({ headers: { 'X-Registry-Auth': Buffer.from(value).toString('base64url') } });
  assert.equal((await api.request(`POST /plugins/${nfs}/push`, auth('{"username":"u","password":"wrong"}'))).status, 503);
  for (const [value, status] of [
    ['{', 400],
    ['"text"', 400],
    ['{"username":7}', 400],
    ['null', 200],
    ['', 200],
  ] as const)
    assert.equal((await api.request(`POST /plugins/${nfs}/push`, auth(value))).status, status, value);
});

test('a refused disable lists who is in the way for programs too', async () => {
  const user = { kind: 'container', id: 'ab', name: 'web', driver: 'volume/nfs', hard: true } as const;
  engine.plugins.use(nfs, [user]);
  const { status, text } = await api.request(`POST /plugins/${nfs}/disable`);
  assert.deepEqual([status, JSON.parse(text)], [409, { message: `plugin "${nfs}" is in use by container web`, users: [user] }]);
  engine.plugins.use(nfs, []);
});

test('GET /gantry/v1/plugins/NAME/json has everything of the plugin and its users, and no secret', async () => {
  engine.plugins.crash(nfs);
  const { text } = await api.request(`GET ${own}/${nfs}/json`);
  const plugin = JSON.parse(text) as PluginInfo & { readonly users: unknown };
  const { name, state, enabled, error, hint, secrets, users } = plugin;
  assert.deepEqual([name, state, enabled, secrets, users], [nfs, 'quarantined', true, ['TOKEN'], []]);
  assert.match(`${error} ${hint}`, /exit code 7.*gantry plugin enable/);
  assert.doesNotMatch(text + (await api.request(`GET /plugins/${nfs}/json`)).text, /hidden/);
  assert.equal((await api.request(`POST /plugins/${nfs}/enable`)).status, 200, 'a quarantined plugin can be enabled again');
});

test('GET /gantry/v1/plugins filters by name, state, placement and provides', async () => {
  for (const [filters, wanted] of [
    [{ provides: ['volume/nfs'] }, [nfs]],
    [{ provides: ['graph'] }, ['gantry.memory']],
    [{ state: ['ready'], name: ['nfs'] }, [nfs]],
    [{ placement: ['in-process'] }, ['gantry.memory']],
    [{ capability: ['volume'], enabled: ['0'] }, []],
  ] as const) {
    const found = await api.json<readonly PluginInfo[]>(`GET ${own}?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    assert.deepEqual(
      found.map(({ name }) => name),
      wanted,
    );
  }
});

test('POST /gantry/v1/plugins/NAME/set takes typed values, and null for the default', async () => {
  const set = (settings: object) => api.request(`POST ${own}/${nfs}/set`, { body: { settings } });
  assert.equal((await set({ RETRIES: 3, SERVER: 'x' })).status, 204);
  assert.deepEqual(engine.plugins.inspect(nfs).settings, { RETRIES: 3, SERVER: 'x' });
  assert.equal((await set({ RETRIES: null, SERVER: null })).status, 204);
  assert.deepEqual(engine.plugins.inspect(nfs).settings, { SERVER: 'localhost' });
});

test('GET /gantry/v1/plugins/NAME/logs?follow=1 goes on for every reader, and ends when the plugin is removed', {
  timeout: 10_000,
}, async () => {
  await engine.plugins.install({ source: 'acme/quiet', grant: 'all', enable: false });
  const follow = async () => {
    const socket = await api.raw(`GET ${own}/acme.quiet/logs?follow=1&tail=0 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`);
    const head = await new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
    assert.match(head, /^HTTP\/1\.1 200 OK/, 'the head comes before the first line');
    return socket;
  };
  const sockets = [await follow(), await follow()];
  engine.plugins.say('acme.quiet', 'first');
  engine.plugins.say('acme.quiet', 'second');
  const reading = sockets.map(readAll);
  await engine.plugins.remove('acme.quiet');
  for (const bytes of await Promise.all(reading)) assert.match(bytes.toString(), /"line":"first"[^]*"line":"second"/);
});

test('a reader of logs that goes away is let go', { timeout: 10_000 }, async () => {
  const gone = Promise.withResolvers<void>();
  const { logs } = engine.plugins;
  engine.plugins.logs = (name, options) => {
    options?.signal?.addEventListener('abort', () => gone.resolve());
    return logs(name, options);
  };
  const socket = await api.raw(`GET ${own}/${nfs}/logs?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await gone.promise;
  engine.plugins.logs = logs;
});
