import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { serve } from '../../../plugins/frontend/docker/serve.ts';
import { DockerApi } from '../../support/clients/docker-api.ts';
import { DockerPluginHost } from '../../support/plugins/docker-plugin-host.ts';
import { type DockerMethod, startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

interface Seen {
  readonly RequestMethod: string;
  readonly RequestUri: string;
  readonly RequestBody?: string;
  readonly RequestHeaders: Readonly<Record<string, string>>;
  readonly ResponseStatusCode?: number;
  readonly ResponseBody?: string;
}
interface Guarded {
  readonly api: DockerApi;
  readonly socket: string;
  /** What was shown of requests, and of answers. */
  readonly asked: readonly Seen[];
  readonly answered: readonly Seen[];
  /** Host configurations of what was created. */
  readonly made: readonly { readonly Privileged?: boolean }[];
  readonly host: DockerPluginHost;
}

/** As an administrator would write it: no privileged container, whoever asks and however. */
const noPrivileged: DockerMethod = (body) => {
  const { RequestUri, RequestBody } = body as unknown as Seen;
  if (!/\/containers\/create/.test(RequestUri)) return { Allow: true };
  try {
    const { HostConfig = {} } = JSON.parse(Buffer.from(RequestBody ?? '', 'base64').toString()) as {
      HostConfig?: { Privileged?: boolean };
    };
    return HostConfig.Privileged === true ? { Allow: false, Msg: 'privileged\u001b[2J containers' } : { Allow: true };
  } catch {
    // No document: nothing privileged in it.
    return { Allow: true };
  }
};

const document = (more = '') => `{"Image":"busybox","Cmd":["true"],"HostConfig":{"Privileged":true}${more}}`;
const json = 'Content-Type: application/json';
const chunked = (text: string | Buffer) =>
  Buffer.concat([Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n`), Buffer.from(text), Buffer.from('\r\n0\r\n\r\n')]);
const head = (line: string, ...headers: readonly string[]) => `${line} HTTP/1.1\r\nHost: d\r\n${headers.join('\r\n')}\r\n\r\n`;
const whole = (line: string, body: string | Buffer, ...headers: readonly string[]) =>
  Buffer.concat([Buffer.from(head(line, json, `Content-Length: ${Buffer.byteLength(body)}`, ...headers)), Buffer.from(body)]);
const create = 'POST /v1.51/containers/create';
const big = ' '.repeat(4 * 1024 * 1024);

/** Each tries to have a privileged container made without the plugin seeing so. */
const attempts: Readonly<Record<string, { readonly bytes: string | Buffer; readonly status: RegExp }>> = {
  'in plain words': { bytes: whole(create, document()), status: /^403/ },
  'without a version': { bytes: whole('POST /containers/create', document()), status: /^403/ },
  'in chunks': {
    bytes: Buffer.concat([Buffer.from(head(create, json, 'Transfer-Encoding: chunked')), chunked(document())]),
    status: /^403/,
  },
  'in chunks, with length 0': {
    bytes: Buffer.concat([Buffer.from(head(create, json, 'Content-Length: 0', 'Transfer-Encoding: chunked')), chunked(document())]),
    status: /^400/,
  },
  'with length 0': { bytes: `${head(create, json, 'Content-Length: 0')}${document()}`, status: /^400/ },
  compressed: { bytes: whole(create, gzipSync(document()), 'Content-Encoding: gzip'), status: /^400/ },
  'in 4 MiB and a byte': { bytes: whole(create, document() + big), status: /^413/ },
  'with a second document behind it': { bytes: whole(create, `{"Image":"busybox"}${document()}`), status: /^400/ },
  'with a field twice': { bytes: whole(create, document(',"HostConfig":{"Privileged":false}')), status: /^400/ },
  'with a field twice but for its case': {
    bytes: whole(create, '{"Image":"busybox","HostConfig":{"Privileged":false},"hostconfig":{"privileged":true}}'),
    status: /^400/,
  },
  'with a field twice, once escaped': {
    bytes: whole(create, '{"Image":"busybox","HostConfig":{"Privileged":false},"Host\\u0043onfig":{"Privileged":true}}'),
    status: /^400/,
  },
  'after 100-continue': { bytes: whole(create, document(), 'Expect: 100-continue'), status: /^(100[^]*)403/ },
  'as another type': {
    bytes: whole(create, document()).toString().replace('application/json', 'text/plain'),
    status: /^400/,
  },
  'as a type with parameters': {
    bytes: whole(create, document()).toString().replace('application/json', 'APPLICATION/JSON ; charset=x'),
    status: /^403/,
  },
  'without a type': { bytes: whole(create, document()).toString().replace(`${json}\r\n`, ''), status: /^400/ },
  'by a path with two slashes': { bytes: whole('POST //containers/create', document()), status: /^301/ },
  'by a path with a dot': { bytes: whole('POST /v1.51/./containers/create', document()), status: /^301/ },
  'by a path with encoded dots': { bytes: whole('POST /v1.51/images/%2e%2E/containers/create', document()), status: /^301/ },
  'by a path with encoded letters': { bytes: whole('POST /v1.51/containers/%63re%61te', document()), status: /^403/ },
  'by a path with an encoded version': { bytes: whole('POST /%76%31.51/containers/create', document()), status: /^403/ },
  'by a path in another case': { bytes: whole('POST /v1.51/Containers/Create', document()), status: /^404/ },
  'by a path with an encoded slash': { bytes: whole('POST /v1.51/containers%2Fcreate', document()), status: /^40[04]/ },
  'by a path with a fragment': { bytes: whole('POST /v1.51/containers/create#/../../_ping', document()), status: /^400/ },
  'by an absolute target': { bytes: whole('POST http://d/v1.51/containers/create', document()), status: /^(30|40)/ },
  'behind an upgrade to h2c': { bytes: whole(create, document(), 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'), status: /^403/ },
  'behind an upgrade to tcp': { bytes: whole(create, document(), 'Connection: Upgrade', 'Upgrade: tcp'), status: /^403/ },
  'in a pipeline': {
    bytes: Buffer.concat([Buffer.from(head('GET /_ping', 'X: y')), whole(create, document()), Buffer.from(head('GET /_ping', 'X: y'))]),
    status: /^200[^]*HTTP\/1\.1 403[^]*HTTP\/1\.1 200/,
  },
};
for (const [how, { bytes, status }] of Object.entries(attempts)) {
  test(`an authz plugin that forbids privileged containers cannot be passed ${how}`, async () => {
    await withGuard({ 'AuthZPlugin.AuthZReq': noPrivileged }, async ({ socket, asked, made }) => {
      const answer = (await exchange(socket, bytes)).replace(/^HTTP\/1\.1 /, '');
      assert.match(answer, status);
      if (answer.startsWith('403'))
        assert.ok(answer.includes('{"message":"authorization denied by plugin guard: privileged [2J containers"}'), answer);
      assert.deepEqual(made, []);
      for (const { RequestUri } of asked) assert.doesNotMatch(RequestUri, /%[46]/i, 'what is shown is what is carried out');
    });
  });
}

test('an authz plugin sees what is carried out, without credentials, and the answers', async () => {
  await withGuard({ 'AuthZPlugin.AuthZReq': noPrivileged }, async ({ api, asked, answered, made }) => {
    const body = '{"Image":"busybox", "Cmd":["true"],"Labels":{"a":"1","A":"2"}}';
    const headers = { 'X-Registry-Auth': 'secret', 'x-other': 'seen' };
    assert.equal((await api.request(create, { body, headers })).status, 201);
    assert.equal((await api.request('GET /_ping')).text, 'OK');
    assert.equal((await api.request('POST /v1.51/auth', { body: { username: 'u', password: 'secret' } })).status >= 200, true);
    assert.equal(made.length, 1);
    const [first, ping, auth] = asked;
    assert.equal(Buffer.from(first?.RequestBody ?? '', 'base64').toString(), body);
    assert.deepEqual([first?.RequestMethod, first?.RequestUri], ['POST', '/v1.51/containers/create']);
    assert.deepEqual([first?.RequestHeaders['X-Other'], first?.RequestHeaders['Content-Type']], ['seen', 'application/json']);
    assert.ok(!JSON.stringify([asked, answered]).includes('secret'));
    assert.deepEqual([ping?.RequestBody, auth?.RequestUri, auth?.RequestBody], [undefined, '/v1.51/auth', undefined]);
    assert.equal(answered[0]?.ResponseStatusCode, 201);
    assert.match(Buffer.from(answered[0]?.ResponseBody ?? '', 'base64').toString(), /^\{"Id":/);
    assert.equal(answered[1]?.ResponseBody, undefined, 'text is not shown');
  });
});

test('an authz plugin may refuse an answer, whole or as a stream', async () => {
  const methods: Record<string, DockerMethod> = {
    'AuthZPlugin.AuthZReq': () => ({ Allow: true }),
    'AuthZPlugin.AuthZRes': (body) => ({ Allow: (body as unknown as Seen).RequestUri.includes('_ping'), Msg: 'not for you' }),
  };
  await withGuard(methods, async ({ api, socket }) => {
    const refusal = '{"message":"authorization denied by plugin guard: not for you"}\n';
    const { status, text } = await api.request('GET /v1.51/version');
    assert.deepEqual([status, text], [403, refusal]);
    assert.match(await exchange(socket, head('GET /v1.51/events', 'X: y')), /^HTTP\/1\.1 403 [^]*not for you/);
    assert.equal((await api.request('GET /_ping')).status, 200);
  });
});

test('a stream of an authorized front end goes on as one', async () => {
  await withGuard({ 'AuthZPlugin.AuthZReq': () => ({ Allow: true }) }, async ({ api, socket }) => {
    const client = connect(socket);
    client.write(head('GET /v1.51/events', 'X: y'));
    let seen = '';
    client.on('data', (chunk) => (seen += chunk.toString()));
    await until(() => seen.includes('200 OK'));
    await api.request(create, { body: { Image: 'busybox', Cmd: ['true'] } });
    await until(() => seen.includes('"create"'));
    client.destroy();
  });
});

const failures: Readonly<Record<string, { readonly method?: DockerMethod; readonly message: RegExp }>> = {
  'fails in words': { method: () => ({ Err: 'no policy loaded' }), message: /plugin guard failed with error: .*no policy loaded/ },
  'answers nothing': { method: (_, response) => void response.end(), message: /authorization denied by plugin guard/ },
  'answers garbage': { method: (_, response) => void response.end('yes'), message: /plugin guard failed with error/ },
  'answers a text for Allow': { method: () => ({ Allow: 'true' }), message: /authorization denied by plugin guard/ },
  'lacks the method': { message: /plugin guard failed with error/ },
  closes: { method: (_, response) => void response.destroy(), message: /plugin guard failed with error/ },
};
for (const [what, { method, message }] of Object.entries(failures)) {
  test(`an authz plugin that ${what} lets nothing through`, async () => {
    await withGuard(method === undefined ? {} : { 'AuthZPlugin.AuthZReq': method }, async ({ api, made }) => {
      const { status, text } = await api.request(create, { body: { Image: 'busybox', Cmd: ['true'] } });
      assert.match(text, message);
      assert.equal(status, /denied/.test(text) ? 403 : 500);
      assert.deepEqual(made, []);
    });
  });
}

test('an authz plugin that is not there lets nothing through, and a chain stops at the first refusal', async () => {
  await withGuard({ 'AuthZPlugin.AuthZReq': () => ({ Allow: false, Msg: 'first' }) }, async ({ host, api, asked }) => {
    const { status, text } = await api.request('GET /_ping');
    assert.deepEqual([status, text], [403, '{"message":"authorization denied by plugin guard: first"}\n']);
    assert.equal(asked.length, 1);
    const socket = join(host.root, 'other.sock');
    const links = ['missing', 'guard'].map((name) => ({ name, driver: () => host.driver('authz', name) }));
    await using _serving = await serve({ engine: memoryEngine(), hosts: [`unix://${socket}`], authorization: links }, ctx);
    const other = await new DockerApi(socket).request('GET /_ping');
    assert.equal(other.status, 500);
    assert.match(other.text, /plugin missing failed with error/);
    assert.equal(asked.length, 1);
  });
});

test('an exec or attach connection is let in by its path and its JSON body', async () => {
  await withGuard({ 'AuthZPlugin.AuthZReq': () => ({ Allow: false, Msg: 'no shells' }) }, async ({ socket, asked }) => {
    const bytes = whole('POST /v1.51/exec/abc/start', '{"Detach":false}', 'Connection: Upgrade', 'Upgrade: tcp');
    assert.match(await exchange(socket, bytes), /^HTTP\/1\.1 403 [^]*authorization denied by plugin guard: no shells/);
    assert.equal(Buffer.from(asked[0]?.RequestBody ?? '', 'base64').toString(), '{"Detach":false}');
  });
});

async function withGuard(methods: Readonly<Record<string, DockerMethod>>, work: (guarded: Guarded) => Promise<void>): Promise<void> {
  await using host = new DockerPluginHost();
  const asked: Seen[] = [];
  const answered: Seen[] = [];
  const recording = (into: Seen[], method: DockerMethod | undefined): Record<string, DockerMethod> =>
    method === undefined
      ? {}
      : { method: (body, response, request) => (into.push(body as unknown as Seen), method(body, response, request)) };
  const allow: DockerMethod = () => ({ Allow: true });
  const { method: requests } = recording(asked, methods['AuthZPlugin.AuthZReq']);
  const { method: answers } = recording(answered, methods['AuthZPlugin.AuthZRes'] ?? allow);
  const all = { ...(requests && { 'AuthZPlugin.AuthZReq': requests }), ...(answers && { 'AuthZPlugin.AuthZRes': answers }) };
  await using _plugin = await startDockerPlugin(host.socket('guard'), ['authz'], all);
  const engine = memoryEngine();
  const made: { readonly Privileged?: boolean }[] = [];
  const make = engine.containers.create.bind(engine.containers);
  Object.assign(engine.containers, {
    create: (...given: Parameters<typeof make>) => {
      made.push(given[0].hostConfig);
      return make(...given);
    },
  });
  const socket = join(host.root, 'api.sock');
  const link = { name: 'guard', driver: () => host.driver('authz', 'guard') };
  await using _serving = await serve({ engine, hosts: [`unix://${socket}`], authorization: [link] }, ctx);
  await work({ api: new DockerApi(socket), socket, asked, answered, made, host });
}

/** Everything that is answered to these bytes within a moment. */
async function exchange(socket: string, bytes: string | Buffer): Promise<string> {
  const client = connect({ path: socket, allowHalfOpen: true });
  await once(client, 'connect');
  client.on('error', () => {});
  let answer = '';
  let last = performance.now();
  client.on('data', (chunk) => {
    answer += chunk.toString();
    last = performance.now();
  });
  client.write(bytes);
  const begun = performance.now();
  await until(() => (answer !== '' && performance.now() - last > 150) || performance.now() - begun > 5_000);
  client.destroy();
  return answer;
}

async function until(isSo: () => boolean): Promise<void> {
  for (let round = 0; round < 600 && !isSo(); round += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isSo());
}
