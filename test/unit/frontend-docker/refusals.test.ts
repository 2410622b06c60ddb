import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DockerApi, dockerApi, readAll } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

let api: DockerApi & AsyncDisposable;
const engine = memoryEngine();
before(async () => {
  api = await dockerApi(engine);
  await engine.containers.create({ name: 'okc', config: { Image: 'busybox', Cmd: ['true'] }, hostConfig: {} });
});
after(() => api[Symbol.asyncDispose]());

const create = 'POST /v1.51/containers/create';
const deep = (levels: number) => `{"x":${'['.repeat(levels)}${']'.repeat(levels)}}`;
interface Row {
  readonly line: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly message?: string;
}

const rows: readonly Row[] = [
  { line: create, status: 400, message: 'invalid JSON: EOF' },
  { line: create, body: '{', status: 400, message: 'invalid JSON: unexpected EOF' },
  { line: create, body: '{"Image":"x', status: 400, message: 'invalid JSON: unexpected EOF' },
  { line: create, body: '[]', status: 400, message: 'invalid JSON: json: cannot unmarshal array into Go value of type CreateRequest' },
  { line: create, body: '"x"', status: 400, message: 'invalid JSON: json: cannot unmarshal string into Go value of type CreateRequest' },
  { line: create, body: 'null', status: 400, message: 'config cannot be empty in order to create a container' },
  { line: create, body: '{}', status: 400, message: 'config cannot be empty in order to create a container' },
  { line: create, body: '{"Image":"x"}x', status: 400, message: 'unexpected content after JSON' },
  { line: create, body: '{"Image":"x"}{"Image":"y"}', status: 400, message: 'unexpected content after JSON' },
  { line: create, body: '\ufeff{}', status: 400, message: "invalid JSON: invalid character '\ufeff' looking for beginning of value" },
  { line: create, body: deep(10_001), status: 400, message: "invalid JSON: invalid character '[' exceeded max depth" },
  { line: create, body: deep(200_000), status: 400, message: "invalid JSON: invalid character '[' exceeded max depth" },
  {
    line: create,
    body: '{"Image":7}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal number into Go struct field CreateRequest.Image of type string',
  },
  {
    line: create,
    body: '{"Image":"busybox","Cmd":"true"}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal string into Go struct field CreateRequest.Cmd of type []string',
  },
  {
    line: create,
    body: '{"Image":"busybox","HostConfig":{"Memory":"64m"}}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal string into Go struct field CreateRequest.HostConfig.Memory of type int64',
  },
  {
    line: create,
    body: '{"Image":"busybox","HostConfig":{"Memory":1.5}}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal number 1.5 into Go struct field CreateRequest.HostConfig.Memory of type int64',
  },
  {
    line: create,
    body: '{"Image":"busybox","HostConfig":{"Memory":9007199254740993}}',
    status: 400,
    message: 'invalid JSON: number 9007199254740993 is beyond 2^53 and would be rounded',
  },
  {
    line: create,
    body: '{}',
    headers: { 'Content-Type': 'text/plain' },
    status: 400,
    message: "unsupported Content-Type header (text/plain): must be 'application/json'",
  },
  {
    line: create,
    body: '{}',
    headers: { 'Content-Type': '' },
    status: 400,
    message: 'malformed Content-Type header (): mime: no media type',
  },
  { line: create, body: `{"Image":"${'x'.repeat(5 * 2 ** 20)}"}`, status: 413, message: 'the request body is larger than 4194304 bytes' },
  { line: 'GET /v9.99/info', status: 400, message: 'client version 9.99 is too new. Maximum supported API version is 1.51' },
  {
    line: 'GET /v4.3.1/libpod/_ping',
    status: 404,
    message: "this engine speaks Docker's API and not podman's own (libpod): use the docker command line",
  },
  { line: 'GET /v1.52/info', status: 400, message: 'client version 1.52 is too new. Maximum supported API version is 1.51' },
  { line: 'GET /vabc/info', status: 404, message: 'page not found' },
  { line: 'GET /nope', status: 404, message: 'page not found' },
  { line: 'POST /gantry/v1/volumes/nobody/rename', body: '{"Name":"x1"}', status: 404, message: 'get nobody: no such volume' },
  { line: 'POST /gantry/v1/volumes/nobody/rename', body: '{}', status: 400, message: 'Name is missing' },
  { line: 'POST /gantry/v1/volumes/nobody/rename', status: 400, message: 'invalid JSON: EOF' },
  { line: 'POST /gantry/v1/volumes/nobody/rename', body: '{"Name":"x1"}x', status: 400, message: 'unexpected content after JSON' },
  {
    line: 'POST /gantry/v1/volumes/nobody/rename',
    body: '{"Name":7}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal number into Go struct field RenameOptions.Name of type string',
  },
  { line: 'POST /gantry/v1/volumes/nobody/resize', body: '{"Bytes":1}', status: 404, message: 'get nobody: no such volume' },
  { line: 'POST /gantry/v1/volumes/nobody/resize', body: '{"Bytes":0}', status: 400, message: 'Bytes must be more than 0' },
  { line: 'POST /gantry/v1/volumes/nobody/resize', body: '{"Bytes":-5}', status: 400, message: 'Bytes must be more than 0' },
  {
    line: 'POST /gantry/v1/volumes/nobody/resize',
    body: '{"Bytes":"1g"}',
    status: 400,
    message: 'invalid JSON: json: cannot unmarshal string into Go struct field ResizeOptions.Bytes of type int64',
  },
  { line: 'POST /gantry/v1/volumes/nobody/clone', body: '{"Name":"x1"}', status: 404, message: 'get nobody: no such volume' },
  { line: 'POST /gantry/v1/volumes/nobody/clone', body: '{"Name":""}', status: 400, message: 'Name is missing' },
  { line: 'POST /gantry/v1/volumes/nobody/snapshot', body: '{"Name":"x1"}', status: 404, message: 'get nobody: no such volume' },
  {
    line: 'POST /gantry/v1/volumes/nobody/snapshot',
    body: '{"Name":"x1","DriverOpts":{"size":"1g"}}',
    status: 400,
    message: 'DriverOpts: a snapshot has the options of its volume',
  },
  { line: 'GET /gantry/v1/volumes/nobody/rename', status: 404, message: 'page not found' },
  { line: 'DELETE /v1.51/info', status: 404, message: 'page not found' },
  { line: 'GET /v1.51/volumes/..', status: 404, message: 'page not found' },
  { line: 'GET /v1.51/containers/a%2Fb/json', status: 404, message: 'No such container: a/b' },
  { line: 'GET /v1.51/containers/a%00b/json', status: 400, message: 'the path contains a NUL byte' },
  { line: 'POST /v1.51/containers/nope/kill', status: 404, message: 'cannot kill container: nope: No such container: nope' },
  { line: 'POST /v1.51/containers/okc/kill?signal=ZZ', status: 400, message: 'cannot kill container: okc: invalid signal: ZZ' },
  { line: 'POST /v1.51/containers/okc/stop?t=abc', status: 400, message: 'strconv.Atoi: parsing "abc": invalid syntax' },
  { line: 'POST /v1.51/containers/okc/resize?h=a&w=1', status: 400, message: 'invalid resize height "a": invalid syntax' },
  { line: 'POST /v1.51/containers/okc/resize?h=-1&w=1', status: 400, message: 'invalid resize height "-1": value out of range' },
  { line: 'POST /v1.51/containers/okc/resize?h=65536&w=1', status: 400, message: 'invalid resize height "65536": value out of range' },
  { line: 'POST /v1.51/containers/okc/rename', status: 400, message: 'Neither old nor new names may be empty' },
  { line: 'POST /v1.51/containers/okc/exec', body: '{}', status: 400, message: 'No exec command specified' },
  { line: 'POST /v1.51/exec/nope/start', body: '{}', status: 404, message: 'No such exec instance: nope' },
  { line: 'GET /v1.51/containers/okc/logs', status: 400, message: "must specify at least one of 'stdout' or 'stderr'" },
  {
    line: 'GET /v1.51/containers/okc/logs?stdout=1&since=abc',
    status: 400,
    message: 'invalid value for "since": invalid timestamp "abc": invalid seconds "abc": invalid syntax',
  },
  {
    line: 'GET /v1.51/containers/okc/logs?stdout=1&tail=abc',
    status: 400,
    message: 'invalid value for "tail": "abc" is neither "all" nor a number',
  },
  { line: 'GET /v1.51/containers/okc/logs?stdout=1&tail=-3', status: 200 },
  { line: 'POST /v1.51/containers/okc/wait?condition=zz', status: 400, message: 'invalid condition: "zz"' },
  { line: 'GET /v1.51/containers/okc/archive', status: 400, message: 'bad parameter: path cannot be empty' },
  { line: 'GET /v1.51/containers/json?filters={', status: 400, message: 'invalid filter' },
  { line: 'GET /v1.51/containers/json?filters=[1]', status: 400, message: 'invalid filter' },
  { line: 'GET /v1.51/containers/json?filters={"zz":["1"]}', status: 400, message: "invalid filter 'zz'" },
  { line: 'GET /v1.51/containers/json?limit=abc', status: 400, message: 'strconv.Atoi: parsing "abc": invalid syntax' },
  {
    line: 'GET /v1.51/events?since=zz',
    status: 400,
    message: 'invalid value for \'since\': invalid timestamp "zz": invalid seconds "zz": invalid syntax',
  },
  { line: 'GET /v1.51/events?since=10&until=5', status: 400, message: '`since` time (10) cannot be after `until` time (5)' },
  { line: 'POST /v1.51/images/create', status: 400, message: 'either fromImage or fromSrc must be given' },
  { line: 'POST /v1.51/containers/okc/stop', status: 304 },
  { line: 'POST /v1.51/swarm/init', body: '{}', status: 503 },
  { line: 'GET /v1.51/services', status: 503 },
  { line: 'POST /v1.51/session', status: 400, message: 'this path needs Upgrade: h2c' },
];

for (const { line, status, message, ...given } of rows) {
  const shown = (given.body ?? '').slice(0, 40);
  test(`the Docker API answers ${status} to ${line} ${shown}`, async () => {
    const reply = await api.request(line.replaceAll(/[{}"[\]]/g, encodeURIComponent), given);
    assert.equal(reply.status, status, reply.text);
    if (message !== undefined) assert.deepEqual(JSON.parse(reply.text), { message });
    assert.equal(reply.headers['api-version'], '1.51');
  });
}

test('the Docker API refuses versions below 1.24 in plain text', async () => {
  const { status, text, headers } = await api.request('GET /v1.0/info');
  const wanted = 'client version 1.0 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version';
  assert.deepEqual([status, text, headers['content-type']], [400, wanted, 'text/plain; charset=utf-8']);
});

test('the Docker API sends unclean paths to their clean form', async () => {
  for (const path of ['/v1.51//containers/json?all=1', '/v1.51/containers/../containers/json?all=1', '/v1.51/./containers/json?all=1']) {
    const { status, headers } = await api.request(`GET ${path}`);
    assert.deepEqual([status, headers.location], [301, '/v1.51/containers/json?all=1'], path);
  }
});

const framings: Readonly<Record<string, { readonly bytes: string; readonly status: number }>> = {
  'a bad request line': { bytes: 'GARBAGE\r\n\r\n', status: 400 },
  'HTTP/0.9': { bytes: 'GET /_ping HTTP/0.9\r\nHost: d\r\n\r\n', status: 400 },
  'no Host': { bytes: 'GET /_ping HTTP/1.1\r\n\r\n', status: 400 },
  'two Host headers': { bytes: 'GET /_ping HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', status: 400 },
  'a length and chunks': {
    bytes: 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 400,
  },
  'two different lengths': {
    bytes: 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    status: 400,
  },
  'a negative length': { bytes: 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: -3\r\n\r\n', status: 400 },
  'a bad chunk': {
    bytes: 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    status: 400,
  },
  'a header of 20 kB': { bytes: `GET /_ping HTTP/1.1\r\nHost: d\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, status: 431 },
  'bare line feeds': { bytes: 'GET /_ping HTTP/1.1\nHost: d\n\n', status: 400 },
  'a folded header': { bytes: 'GET /_ping HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\n\r\n', status: 400 },
  'an upgrade to something else': {
    bytes: 'POST /containers/okc/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: zz\r\n\r\n',
    status: 400,
  },
};
for (const [what, { bytes, status }] of Object.entries(framings)) {
  test(`the Docker API answers ${status} to ${what}`, async () => {
    const socket = await api.raw(bytes);
    socket.end();
    assert.match((await readAll(socket)).toString('latin1'), new RegExp(`^HTTP/1.1 ${status} `));
    socket.destroy();
  });
}

test('labels named like parts of JavaScript objects stay labels', async () => {
  const body = '{"Image":"busybox","Cmd":["true"],"Labels":{"__proto__":"a","constructor":"b","hasOwnProperty":"c"}}';
  const { Id: id } = await api.json<{ Id: string }>(create, { body });
  assert.match(
    (await api.request(`GET /containers/${id}/json`)).text,
    /"Labels":\{"__proto__":"a","constructor":"b","hasOwnProperty":"c"\}/,
  );
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});
