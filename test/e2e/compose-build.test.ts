import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuildxClient, openBuildx, whyNoBuildx } from '../support/clients/buildx-client.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { makeKey, startAgent } from '../support/servers/ssh-git.ts';

inNamespaces(import.meta.url, { missing: whyNoBuildx() });

const options = { timeout: 180_000 };
const folder = mkdtempSync(join(tmpdir(), 'compose-build-'));
let daemon: Daemon;
let client: BuildxClient;
before(async () => {
  ({ daemon, client } = await openBuildx(folder));
});
after(() => daemon[Symbol.asyncDispose]());

const dockerfile = `FROM base AS first
RUN echo first > /first
FROM busybox AS final
ARG WHO
COPY --from=first /first /first
COPY --from=other f /f
RUN --mount=type=secret,id=token --mount=type=secret,id=renamed cat /run/secrets/token /run/secrets/renamed; echo "who=$WHO"
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo an agent
RUN grep some.host /etc/hosts; ip link | grep -c '^[0-9]'
RUN head -c 8 /dev/urandom | od > /random
CMD cat /first /f
FROM final
RUN exit 9
`;

function compose(host: string): string {
  return `services:
  app:
    image: composed
    network_mode: none
    build:
      context: app
      dockerfile: My.Dockerfile
      target: final
      args: { WHO: compose }
      labels: { made-by: compose }
      tags: ["composed:tagged"]
      additional_contexts: { other: ./other, base: "docker-image://busybox" }
      ssh: [default]
      secrets:
        - token
        - { source: from_environment, target: renamed }
      cache_from: ["type=registry,ref=${host}/cache:1"]
      cache_to: ["type=registry,ref=${host}/cache:1,mode=max"]
      platforms: [linux/${process.arch === 'x64' ? 'amd64' : process.arch}]
      network: none
      extra_hosts: ["some.host:10.1.2.3"]
secrets:
  token: { file: ./token }
  from_environment: { environment: SAID }
`;
}

test(
  'docker compose build does all that a project says of a build, and another engine takes its steps from the registry',
  options,
  async () => {
    await using registry = await dockerRegistry(join(folder, 'registry'));
    const agentPath = join(folder, 'agent');
    await using _agent = await startAgent(agentPath, makeKey(folder, 'key'));
    const path = client.context({
      'compose.yaml': compose(registry.host),
      'app/My.Dockerfile': dockerfile,
      'other/f': 'other\n',
      token: 'T0KEN\n',
    });
    const given = { cwd: path, env: { SAID: 'by environment\n', SSH_AUTH_SOCK: agentPath } };
    const { stderr, stdout } = await client.succeeds(['compose', 'build'], given);
    const said = (stdout + stderr).replaceAll(/^#\d+ [\d.]+ /gm, '');
    assert.match(said, /T0KEN\nby environment\nwho=compose\n/);
    assert.match(said, /an agent\n/);
    assert.match(said, /10\.1\.2\.3\s+some\.host\n1\n/);
    assert.doesNotMatch(said, /exit 9/);
    assert.equal((await client.succeeds(['inspect', '-f', '{{index .Config.Labels "made-by"}}', 'composed:tagged'])).stdout, 'compose\n');
    assert.match(
      (await client.succeeds(['compose', '-p', 'built', 'up', '--no-color'], given)).stdout,
      /app-1\s+\| first\n.*app-1\s+\| other\n/s,
    );
    await client.succeeds(['compose', '-p', 'built', 'down'], given);

    await using other = await Daemon.start({ folder: join(folder, 'other') });
    await other.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
    const second = new BuildxClient(folder, other);
    const again = await second.succeeds(['compose', 'build'], given);
    assert.match(again.stdout + again.stderr, /RUN head -c 8 \/dev\/urandom \| od > \/random\n#\d+ CACHED/);
  },
);

test('docker compose build refuses what cannot be built, and says why', options, async () => {
  const broken = (build: string, dockerfileText = 'FROM busybox\n') =>
    client.context({ 'compose.yaml': `services:\n  app:\n    build:\n      context: .\n${build}`, Dockerfile: dockerfileText });
  for (const [path, problem] of [
    // The base is here for one of them, and where the other's would come from is out of reach.
    [broken('      platforms: [linux/amd64, linux/arm64]\n'), /\[app linux\/\w+ 1\/2\] FROM busybox\n#\d+ ERROR: .*registry-1\.docker\.io/],
    [broken('      target: none\n'), /failed to reach build target none in Dockerfile/],
    [broken('', 'FROM busybox\nRUN --mount=type=secret,id=x,required=true true\n'), /secret x: not found/],
    [broken('', 'FROM busybox\nRUN --mount=type=ssh,required=true true\n'), /ssh agent default: not forwarded/],
  ] as const) {
    const { code, stdout, stderr } = await client.docker(['compose', 'build'], { cwd: path });
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, problem);
  }
});
