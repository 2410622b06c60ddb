import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage, busyboxLayer } from '../../images/busybox.ts';
import type { Cases, World } from './world.ts';

const digest = /sha256:[0-9a-f]{64}/;

/** Images, from building to the registry. */
export const imageCases: Cases = {
  'build, image build, builder build': async (world, command) => {
    const [folder, tag] = [world.folder(), `${world.name('built')}:1`];
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nARG N\nRUN echo $N > /n\nCOPY file /\nCMD cat /n /file\n');
    writeFileSync(join(folder, 'file'), 'copied');
    const said = await world.docker(...command, '--build-arg', 'N=7', '--label', 'built=yes', '-t', tag, folder);
    assert.match(said, /Step 6\/6 : LABEL built=yes\n[^]*\nSuccessfully built [0-9a-f]{12}\nSuccessfully tagged \S+:1$/);
    assert.equal(await world.docker('run', '--rm', tag), '7\ncopied');
    assert.match(await world.docker(...command, '-q', '--build-arg', 'N=7', '--label', 'built=yes', folder), /^sha256:[0-9a-f]{64}$/);
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN exit 7\n');
    assert.match(await world.refused(...command, folder), /The command '\/bin\/sh -c exit 7' returned a non-zero code: 7/);
  },
  'builder prune': async ({ docker }, command) => {
    assert.match(await docker(...command, '-f'), /Total reclaimed space: \d/);
    assert.match(await docker(...command, '-af', '--filter', 'until=24h'), /Total reclaimed space: 0B/);
  },
  'history, image history': async ({ docker, refused }, command) => {
    assert.match(await docker(...command, 'busybox'), /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /);
    assert.equal(await docker(...command, '-q', '--no-trunc', 'busybox'), await docker('inspect', '-f', '{{.Id}}', 'busybox'));
    assert.match(await refused(...command, 'nope'), /No such image: nope/);
  },
  'import, image import': async ({ both, docker }, command) => {
    const words = [...command, '-c', 'CMD ["echo", "imported"]', '-m', 'a note', '-', 'imported:1'];
    const { code, stdout, stderr } = await both(words, { input: busyboxLayer() });
    assert.deepEqual([code, /^sha256:[0-9a-f]{64}\n$/.test(stdout)], [0, true], stderr);
    assert.equal(await docker('run', '--rm', 'imported:1'), 'imported');
    assert.equal(await docker('image', 'inspect', '-f', '{{.Id}} {{.Comment}}', 'imported:1'), `${stdout.trim()} a note`);
    await docker('rmi', 'imported:1');
  },
  inspect: async (world, command) => {
    const { docker, refused } = world;
    const [one, other] = [await world.container(), world.name('object')];
    for (const what of ['volume', 'network']) await docker(what, 'create', `${other}-${what}`);
    const format = ['-f', '{{.Name}}'];
    assert.equal(
      await docker(...command, ...format, one, `${other}-volume`, `${other}-network`),
      `/${one}\n${other}-volume\n${other}-network`,
    );
    assert.equal(await docker(...command, '--type', 'image', '-f', '{{.Os}}', 'busybox'), 'linux');
    assert.match(await refused(...command, 'nope'), /[Nn]o such object: nope/);
    assert.match(await refused(...command, '--type', 'volume', 'busybox'), /busybox/);
  },
  'image inspect': async ({ docker, refused }, command) => {
    assert.equal(
      await docker(...command, '-f', '{{index .RepoTags 0}} {{.Architecture}} {{.Config.Cmd}}', 'busybox'),
      `busybox:latest ${arch} [sh]`,
    );
    assert.match(await refused(...command, 'nope'), /No such image: nope/);
  },
  'load, image load': async ({ both, docker, refused }, command) => {
    const { archive } = busyboxImage({ reference: 'loaded:1' });
    assert.deepEqual(await both(command, { input: archive }), { code: 0, stdout: 'Loaded image: loaded:1\n', stderr: '' });
    assert.equal(await docker('run', '--rm', 'loaded:1', 'echo', 'runs'), 'runs');
    assert.match(await refused(...command, '-i', '/nowhere'), /no such file/);
    await docker('rmi', 'loaded:1');
  },
  'images, image ls': async ({ docker }, command) => {
    assert.match(await docker(...command), /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
    const made = await docker('inspect', '-f', '{{.Id}}', 'busybox');
    assert.equal(await docker(...command, '--filter', 'reference=busy*', '--format', '{{.Repository}}:{{.Tag}}'), 'busybox:latest');
    assert.equal(await docker(...command, '-q', '--no-trunc', 'busybox:latest'), made);
    assert.equal(await docker(...command, '-q', 'nope'), '');
    assert.match(await docker(...command, '--digests', 'busybox'), /^REPOSITORY +TAG +DIGEST /);
  },
  'image prune': async (world, command) => {
    const [folder, tag] = [world.folder(), `${world.name('pruned')}:1`];
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo more > /more\n');
    await world.docker('build', '--label', 'prune=me', '-t', tag, folder);
    const said = await world.docker(...command, '-af', '--filter', 'label=prune=me');
    assert.match(said, new RegExp(`^Deleted Images:\\nuntagged: ${tag}\\ndeleted: sha256:[0-9a-f]{64}\\n[^]*\\nTotal reclaimed space: `));
    assert.match(await world.refused('image', 'inspect', tag), /No such image/);
    assert.notEqual(await world.docker('images', '-q', 'busybox'), '');
  },
  'pull, image pull': async (world, command) => {
    const reference = await world.pushed();
    await world.docker('rmi', reference);
    assert.match(
      await world.docker(...command, reference),
      new RegExp(`\\nDigest: ${digest.source}\\nStatus: .* image for ${reference}\\n${reference}$`),
    );
    assert.equal(await world.docker(...command, '-q', reference), reference);
    assert.match(await world.refused(...command, `${reference}-nope`), /not found|manifest unknown|no manifest/i);
  },
  'push, image push': async (world, command) => {
    const reference = `${world.registry}/team/${world.name('sent')}:1`;
    assert.match(await world.refused(...command, reference), /An image does not exist locally with the tag/);
    await world.docker('tag', 'busybox', reference);
    const said = await world.docker(...command, reference);
    assert.match(
      said,
      new RegExp(`^The push refers to repository \\[.*\\]\\n[^]*: (Pushed|Mounted from .*)\\n1: digest: ${digest.source} size: \\d+$`),
    );
    const [, path = ''] = /^[^/]+\/(.*):1$/.exec(reference) ?? [];
    assert.deepEqual(await (await fetch(`http://${world.registry}/v2/${path}/tags/list`)).json(), { name: path, tags: ['1'] });
  },
  'rmi, image rm': async (world, command) => {
    const tag = `${world.name('removed')}:1`;
    await world.docker('tag', 'busybox', tag);
    assert.equal(await world.docker(...command, tag), `Untagged: ${tag}`);
    assert.match(await world.refused(...command, tag), /No such image/);
    const folder = world.folder();
    writeFileSync(join(folder, 'Dockerfile'), `FROM busybox\nLABEL only=${tag}\n`);
    await world.docker('build', '-q', '-t', tag, folder);
    const user = await world.docker('run', '-d', tag, 'sleep', '1000');
    assert.match(await world.refused(...command, tag), /unable to (remove|delete).*container/i);
    await world.docker('rm', '-f', user);
    assert.match(await world.docker(...command, tag), /^Untagged: .*\nDeleted: sha256:/);
  },
  'save, image save': async (world, command) => {
    const file = join(world.folder(), 'saved.tar');
    await world.docker(...command, '-o', file, 'busybox');
    const list = execFileSync('tar', ['-tf', file], { encoding: 'utf8' });
    for (const name of ['manifest.json', 'index.json', 'oci-layout']) assert.match(list, new RegExp(`^${name}$`, 'm'));
    assert.equal((await world.both([...command, 'busybox'])).code, 0);
    assert.match(await world.refused(...command, '-o', file, 'nope'), /No such image|not exist|not found/i);
    assert.equal(await world.docker('load', '-i', file), 'Loaded image: busybox:latest');
  },
  'tag, image tag': async (world, command) => {
    const tag = `example.org:5000/${world.name('tagged')}:1`;
    assert.equal(await world.docker(...command, 'busybox', tag), '');
    assert.equal(await world.inspect(tag, '{{.Id}}'), await world.inspect('busybox', '{{.Id}}'));
    assert.match(await world.refused(...command, 'busybox', 'UPPER'), /invalid reference format/);
    assert.match(await world.refused(...command, 'nope', 'x'), /No such image: nope/);
    await world.docker('rmi', tag);
  },
  search: async (world, command) => {
    const reference = await world.pushed();
    const name = reference.replace(/:1$/, '');
    assert.equal(await world.docker(...command, '--format', '{{.Name}}', name), name);
    assert.match(await world.docker(...command, name), /^NAME +DESCRIPTION +STARS +OFFICIAL/);
  },
  'manifest create': async (world, command) => {
    const { image, list, env } = await manifestList(world);
    assert.equal(await world.dockerWith(env, ...command, '--insecure', list, image), `Created manifest list ${list}`);
  },
  'manifest annotate': async (world, command) => {
    const { image, list, env } = await createdList(world);
    await world.dockerWith(env, ...command, '--os-features', 'one', '--variant', 'v7', list, image);
    assert.match(await world.dockerWith(env, 'manifest', 'inspect', '--insecure', list), /"variant": "v7"/);
  },
  'manifest inspect': async (world, command) => {
    const { image, list, env } = await createdList(world);
    const { manifests } = JSON.parse(await world.dockerWith(env, ...command, '--insecure', list)) as {
      readonly manifests: readonly { readonly platform: { readonly architecture: string } }[];
    };
    assert.deepEqual(
      manifests.map(({ platform }) => platform.architecture),
      [arch],
    );
    assert.match(await world.dockerWith(env, ...command, '--insecure', image), /"layers": \[/);
  },
  'manifest push': async (world, command) => {
    const { image, list, env } = await createdList(world);
    assert.match(await world.dockerWith(env, ...command, '--insecure', list), digest);
    // And it is the engine that fetches by a list.
    await world.docker('rmi', image);
    await world.docker('pull', '-q', list);
    assert.equal(await world.docker('run', '--rm', list, 'echo', 'by a list'), 'by a list');
  },
  'manifest rm': async (world, command) => {
    const { list, env } = await createdList(world);
    await world.dockerWith(env, ...command, list);
    assert.equal(existsSync(join(env.DOCKER_CONFIG, 'manifests', list.replaceAll(/[:/]/g, '_'))), false);
  },
  login: async (world, command) => {
    const env = { DOCKER_CONFIG: world.folder(), DOCKER_HOST: `unix://${world.api.socketPath}` };
    assert.match(await world.dockerWith(env, ...command, '-u', 'me', '-p', 'secret', world.registry), /Login Succeeded/);
    assert.match(readFileSync(join(env.DOCKER_CONFIG, 'config.json'), 'utf8'), new RegExp(world.registry));
  },
  logout: async (world, command) => {
    const env = { DOCKER_CONFIG: world.folder(), DOCKER_HOST: `unix://${world.api.socketPath}` };
    await world.dockerWith(env, 'login', '-u', 'me', '-p', 'secret', world.registry);
    assert.equal(await world.dockerWith(env, ...command, world.registry), `Removing login credentials for ${world.registry}`);
    assert.doesNotMatch(readFileSync(join(env.DOCKER_CONFIG, 'config.json'), 'utf8'), new RegExp(world.registry));
  },
};

/** As images call it. */
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

async function manifestList(world: World) {
  const image = await world.pushed();
  const env = { DOCKER_CONFIG: world.folder(), DOCKER_HOST: `unix://${world.api.socketPath}` };
  return { image, list: image.replace(/:1$/, ':list'), env };
}

async function createdList(world: World) {
  const made = await manifestList(world);
  await world.dockerWith(made.env, 'manifest', 'create', '--insecure', made.list, made.image);
  return made;
}
