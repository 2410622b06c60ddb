import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { indexedImage, layoutOf } from '../../support/images/indexed-image.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { type DockerApi, dockerApi } from '../../support/clients/docker-api.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { architecture, small } from '../../support/plugins/served-image.ts';

inNamespaces(import.meta.url);
leakGuard();

const image = makeImage({ reference: 'app:1', layers: [small('one'), small('two')] });
let under: EngineUnderTest;
let api: DockerApi & AsyncDisposable;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
  api = await dockerApi(under.engine);
  assert.equal((await load('')).status, 200);
});
after(async () => {
  await api[Symbol.asyncDispose]();
  await under[Symbol.asyncDispose]();
});

const load = (query: string, version = 51) =>
  api.request(`POST /v1.${version}/images/load?quiet=1${query}`, { body: image.archive, headers: { 'content-type': 'application/x-tar' } });

interface Listed {
  readonly Id: string;
  readonly Manifests?: readonly Manifest[];
}
interface Manifest {
  readonly ID: string;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly ImageData: { readonly Containers: readonly string[]; readonly Size: { readonly Unpacked: number } };
}

test('an image tells its manifest where a version has that and it is asked for', async () => {
  await using container = await under.sleeping();
  const listed = async (query: string) =>
    (await api.json<readonly Listed[]>(`GET ${query}`)).find(({ Id }) => Id === image.imageId)?.Manifests;
  assert.equal(await listed('/v1.51/images/json'), undefined);
  assert.equal(await listed('/v1.46/images/json?manifests=1'), undefined);
  const [manifest, another] = (await listed('/v1.47/images/json?manifests=1')) ?? [];
  assert.equal(another, undefined);
  assert.ok(manifest !== undefined);
  const { Size, ImageData, ...rest } = manifest;
  const platform = { os: 'linux', architecture };
  assert.deepEqual(rest, {
    ID: image.manifestDigest,
    Descriptor: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.manifestDigest,
      size: (rest as unknown as { Descriptor: { size: number } }).Descriptor.size,
      platform,
    },
    Available: true,
    Kind: 'image',
  });
  assert.equal(ImageData.Size.Unpacked, 'this is one'.length + 'this is two'.length);
  assert.deepEqual(ImageData, { Platform: platform, Containers: [], Size: ImageData.Size });
  assert.ok(Size.Content > small('one').length + small('two').length);
  assert.equal(Size.Total, Size.Content + ImageData.Size.Unpacked);
  const inspected = async (version: number) => (await api.json<Listed>(`GET /v1.${version}/images/app:1/json?manifests=1`)).Manifests;
  assert.deepEqual([await inspected(47), await inspected(48)], [undefined, [manifest]]);
  const [used] = (await api.json<Listed>('GET /images/busybox/json?manifests=1')).Manifests ?? [];
  assert.ok(used?.ImageData.Containers.includes(container.id));
  const both = encodeURIComponent(JSON.stringify(platform));
  const refused = await api.request(`GET /images/app:1/json?manifests=1&platform=${both}`);
  assert.equal(refused.status, 400);
  assert.match(refused.text, /manifests and platform options cannot both be set/);
});

test('an archive is loaded for the platform that is asked for, since the version that has it', async () => {
  const platform = (of: string) => `&platform=${encodeURIComponent(JSON.stringify({ os: 'linux', architecture: of }))}`;
  const [status, text] = await load(platform('s390x')).then((answer) => [answer.status, answer.text] as const);
  assert.equal(status, 404);
  assert.match(text, new RegExp(`the archive has no image for linux/s390x: it has linux/${architecture}`));
  assert.equal((await load(platform('s390x'), 47)).status, 200);
  assert.equal((await load(platform(architecture))).status, 200);
  assert.equal((await load('&platform=%7B')).status, 400);
});

test('one of several platforms is inspected and removed, since the versions that have it', async () => {
  const several = indexedImage('served');
  const body = layoutOf(several, 'docker.io/library/several:1');
  const reload = () => api.request('POST /v1.51/images/load?quiet=1', { body, headers: { 'content-type': 'application/x-tar' } });
  assert.equal((await reload()).status, 200);
  const own = several.parts.get(architecture)?.id;
  const other = several.parts.get('s390x')?.id;
  const of = (name: string): string => encodeURIComponent(JSON.stringify({ os: 'linux', architecture: name }));
  const ids = async () => {
    const listed = await api.json<readonly (Listed & { readonly RepoTags: readonly string[] })[]>(
      'GET /v1.51/images/json?all=1&manifests=1',
    );
    return listed.filter(({ RepoTags }) => RepoTags.includes('several:1')).map(({ Id, Manifests = [] }) => [Id, Manifests.length]);
  };
  assert.deepEqual(await ids(), [[own, 3]]);
  const inspected = async (version: number, query: string) => {
    const { status, text } = await api.request(`GET /v1.${version}/images/several:1/json?platform=${query}`);
    return status === 200 ? (JSON.parse(text) as Listed).Id : status;
  };
  assert.deepEqual([await inspected(48, of('s390x')), await inspected(49, of('s390x')), await inspected(49, of('arm'))], [own, other, 404]);
  for (const [query, status] of [
    [`platforms=${of('arm')}`, 404],
    ['platforms=%7B', 400],
    ['platforms=linux/amd64', 400],
    [`platforms=${encodeURIComponent('{"os":"linux"}')}`, 400],
    [`platforms=${of('s390x')}&platforms=${of('arm')}`, 404],
    [`platforms=${of('s390x')}&platforms=${of('riscv64')}`, 200],
  ] as const) {
    const answer = await api.request(`DELETE /v1.50/images/several:1?${query}`);
    assert.equal(answer.status, status, `${query}: ${answer.text}`);
  }
  assert.deepEqual([await inspected(49, of('s390x')), await inspected(49, of(architecture))], [404, own]);
  assert.equal((await reload()).status, 200);
  assert.equal((await api.request(`DELETE /v1.49/images/several:1?platforms=${of('s390x')}`)).status, 200);
  assert.deepEqual(await ids(), [], 'before that version the name goes');
});

/** Nothing listens there. */
const nowhere = '127.0.0.1:1';
const auth = Buffer.from('{}').toString('base64url');
for (const [line, body] of [
  [`POST /images/create?fromImage=${nowhere}/app&tag=1`],
  [`GET /distribution/${encodeURIComponent(`${nowhere}/app:1`)}/json`],
  [`GET /images/search?term=${nowhere}/app`],
  ['POST /auth', { username: 'me', password: 'secret', serveraddress: nowhere }],
] as const) {
  test(`${line} at a registry that cannot be reached is 500, as 503 means to Docker's clients that there is no swarm`, async () => {
    const { status, text } = await api.request(line, { headers: { 'x-registry-auth': auth }, ...(body !== undefined && { body }) });
    assert.match(text, /registry 127\.0\.0\.1:1: .*ECONNREFUSED.*is the registry running/);
    assert.equal(status, 500);
  });
}

test('a push to a registry that cannot be reached ends with the words of it, after it was told where it goes', async () => {
  await api.request(`POST /images/app:1/tag?repo=${nowhere}/app&tag=1`);
  const { status, text } = await api.request(`POST /images/${encodeURIComponent(`${nowhere}/app`)}/push?tag=1`, {
    headers: { 'x-registry-auth': auth },
  });
  const lines = text.trim().split(/\r?\n/);
  assert.deepEqual([status, lines[0]], [200, `{"status":"The push refers to repository [${nowhere}/app]"}`]);
  assert.match(lines.at(-1) ?? '', /"errorDetail":\{"message":"[^"]*registry 127\.0\.0\.1:1: .*ECONNREFUSED/);
});
