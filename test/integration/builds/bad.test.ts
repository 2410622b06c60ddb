import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GantryError, messageOf } from '@gantry/sdk';
import type { BuildImage } from '@gantry/sdk/engine';
import { buildImage, contextTar } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

async function failureOf(
  context: Buffer | Readonly<Record<string, string>>,
  options: Partial<BuildImage> = {},
  code = 'invalid_argument',
): Promise<string> {
  const count = under.engine.containers.list({ all: true }).length;
  const error = await buildImage(under.engine, context, options).then(
    ({ text }) => assert.fail(`it was built:\n${text}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(GantryError.is(error), messageOf(error));
  assert.equal(error.code, code, error.message);
  assert.equal(under.engine.containers.list({ all: true }).length, count);
  return error.message;
}

const lines: readonly (readonly [dockerfile: string, line: number, problem: RegExp])[] = [
  ['FROM busybox\nFOO bar\n', 2, /unknown instruction: FOO/],
  ['FROM busybox\nRUNN true\n', 2, /unknown instruction: RUNN \(did you mean RUN\?\)/],
  ['FROM busybox\n\n# c\nCOPY \\\n  # indented\n  onlyone\n', 4, /COPY requires at least two arguments/],
  ['RUN true\n', 1, /the first instruction is FROM/],
  ['ARG A\n', 1, /no FROM/],
  ['FROM\n', 1, /FROM requires at least one argument/],
  ['FROM a b\n', 1, /FROM requires either one or three arguments/],
  ['FROM busybox AS 1st\n', 1, /invalid name for build stage: "1st"/],
  ['FROM busybox AS a\nFROM busybox AS A\n', 2, /duplicate name for build stage/],
  ['FROM busybox AS a\nCOPY --from=a /x /y\n', 2, /circular dependency/],
  ['FROM busybox\nCOPY --from=later /x /y\nFROM busybox AS later\n', 2, /begins later, on line 3/],
  ['FROM busybox\nCOPY --from=99 /x /y\n', 2, /invalid stage index/],
  ['FROM busybox\nCOPY --form=a /x /y\n', 2, /unknown flag: --form \(did you mean from\?\)/],
  ['FROM busybox\nCOPY --chown=1 --chown=2 /x /y\n', 2, /duplicate flag specified: chown/],
  ['FROM busybox\nCOPY --link=maybe /x /y\n', 2, /expecting boolean value for flag link/],
  ['FROM busybox\nRUN <<EOF\ntrue\n', 2, /unterminated heredoc/],
  ['FROM busybox\nRUN --mount=type=what,target=/x true\n', 2, /unsupported mount type "what"/],
  ['FROM busybox\nRUN --mount=type=cache true\n', 2, /target is required/],
  ['FROM busybox\nRUN --mount=type=cache,target=/x,from=busybox true\n', 2, /a cache begins empty here: from and source are not supported/],
  ['FROM busybox\nRUN --mount=type=cache,target=/x,sharing=some true\n', 2, /sharing is shared, private or locked/],
  ['FROM busybox\nSHELL /bin/sh -c\n', 2, /SHELL requires the arguments to be in JSON form/],
  ['FROM busybox\nUSER a b\n', 2, /USER requires exactly one argument/],
  ['FROM busybox\nONBUILD FROM x\n', 2, /FROM isn't allowed as an ONBUILD trigger/],
  ['FROM busybox\nONBUILD ONBUILD RUN x\n', 2, /Chaining ONBUILD/],
  ['FROM busybox\nARG 1x=2\n', 2, /ARG names can not be blank/],
  ['# escape=x\nFROM busybox\n', 1, /invalid ESCAPE 'x'/],
  ['# escape=`\n# escape=`\nFROM busybox\n', 2, /only one escape parser directive/],
  [`FROM busybox\nRUN ${'x'.repeat(70_000)}\n`, 2, /a line of 70004 characters/],
  ['FROM ${NOTHING}\n', 1, /base name \(\$\{NOTHING\}\) should not be blank/],
  ['FROM busybox\nENV a\n', 2, /ENV must have two arguments/],
  ['FROM busybox\nENV a="b\n', 2, /looking for matching double-quote/],
  ['FROM busybox\nENV a=${b\n', 2, /missing '}'/],
  ['FROM busybox\nENV a=${b?needed}\n', 2, /b: needed/],
  ['FROM busybox\nENV a=${b^}\n', 2, /unsupported modifier/],
  ['FROM busybox\nEXPOSE x\n', 2, /invalid containerPort: x/],
  ['FROM busybox\nHEALTHCHECK junk\n', 2, /Unknown type "junk" in HEALTHCHECK/],
  ['FROM busybox\nHEALTHCHECK --interval=soon CMD x\n', 2, /invalid duration "soon"/],
  [
    'FROM busybox\nCOPY nothing /x\n',
    2,
    /COPY failed: file not found in build context or excluded by .dockerignore: stat nothing: file does not exist/,
  ],
  ['FROM busybox\nCOPY --from=busybox /nothing /x\n', 2, /COPY failed: file not found in busybox: stat \/nothing/],
  ['FROM busybox\nCOPY f f /x\n', 2, /the destination must be a directory and end with a \//],
  ['FROM busybox\nCOPY f f /etc/passwd/\n', 2, /cannot copy to non-directory: \/etc\/passwd/],
  ['FROM busybox\nCOPY --chown=ghost f /x\n', 2, /unable to find user ghost/],
  ['FROM busybox\nCOPY --chmod=u+q f /x\n', 2, /invalid chmod parameter: 'u\+q'/],
  ['FROM busybox\nCOPY --chmod=u+x,=8 f /x\n', 2, /invalid chmod parameter/],
  ['FROM busybox\nCOPY --chmod=99999 f /x\n', 2, /invalid chmod parameter/],
  ['FROM scratch\nCOPY --chown=guest f /x\n', 2, /cannot be looked up/],
  ['FROM busybox\nADD zz://x /x\n', 2, /ADD failed: file not found in build context/],
  ['FROM busybox\nADD --checksum=md5:1 http://127.0.0.1:1/x /x\n', 2, /invalid checksum/],
  ['FROM busybox\nADD git@example.com:x.git#ref:../.. /x\n', 2, /invalid folder "\.\.\/\.\." of a git repository/],
  ['FROM busybox\nADD git@example.com:x.git /x\n', 2, /by ssh: no ssh agent is forwarded/],
  ['FROM busybox\nADD https://example.com/x.git#--upload-pack=y /x\n', 2, /invalid git reference/],
  ['FROM busybox\nADD --checksum=no http://127.0.0.1:1/x.git /x\n', 2, /invalid checksum "no": of a repository it is a commit/],
  ['FROM busybox\nRUN exit 3\n', 2, /The command '\/bin\/sh -c exit 3' returned a non-zero code: 3/],
  ['FROM busybox\nRUN ["nothing"]\n', 2, /nothing/],
  ['FROM scratch\nRUN true\n', 2, /\/bin\/sh/],
  ['FROM busybox\nUSER ghost\nRUN true\n', 3, /unable to find user ghost/],
  ['FROM busybox\nRUN --security=insecure true\n', 2, /security\.insecure is not allowed/],
  ['FROM busybox\nRUN --network=host true\n', 2, /network\.host is not allowed/],
  ['FROM busybox\nRUN --network=some true\n', 2, /unsupported network mode "some"/],
];

for (const [dockerfile, line, problem] of lines) {
  test(`Builds.build() refuses ${JSON.stringify(dockerfile.slice(0, 60))} with line ${line}`, async () => {
    const message = await failureOf({ Dockerfile: dockerfile, f: 'F' }, { forceRemove: true });
    assert.match(message, problem);
    const shown = dockerfile.split('\n')[line - 1]?.slice(0, 12).trimEnd() ?? '';
    assert.ok(message.includes(`\n  Dockerfile:${line} | ${shown.replace(/ ?\\$/, '')}`), message);
  });
}

const bad: Readonly<
  Record<string, readonly [context: Buffer | Readonly<Record<string, string>>, options: Partial<BuildImage>, problem: RegExp]>
> = {
  'no Dockerfile': [{ f: '' }, {}, /Cannot locate specified Dockerfile: Dockerfile/],
  'a Dockerfile outside': [{ Dockerfile: 'FROM busybox' }, { dockerfile: '../../etc/passwd' }, /must be within the build context/],
  'an absolute Dockerfile': [{ Dockerfile: 'FROM busybox' }, { dockerfile: '/etc/passwd' }, /must be within the build context/],
  'a folder as Dockerfile': [Buffer.concat([header({ name: 'Dockerfile', type: '5' }), endOfArchive]), {}, /Dockerfile is no file/],
  'a Dockerfile that leads out': [
    Buffer.concat([header({ name: 'Dockerfile', type: '2', link: '../../../../etc/canary' }), endOfArchive]),
    {},
    /Cannot locate specified Dockerfile/,
  ],
  'a Dockerfile that leads in a circle': [
    Buffer.concat([header({ name: 'Dockerfile', type: '2', link: 'Dockerfile' }), endOfArchive]),
    {},
    /too many levels of symbolic links/,
  ],
  'an empty Dockerfile': [{ Dockerfile: '\n# nothing\n' }, {}, /the Dockerfile \(Dockerfile\) cannot be empty/],
  'a NUL': [{ Dockerfile: 'FROM busybox\0\n' }, {}, /has a NUL byte at 12/],
  'UTF-16': [contextTar({ Dockerfile: Buffer.from('\u{FEFF}FROM busybox', 'utf16le') }), {}, /is UTF-16/],
  'a Dockerfile of 20 MB': [contextTar({ Dockerfile: Buffer.alloc(20 * 2 ** 20, 'x') }), {}, /has 20971520 bytes/],
  'no tar': [Buffer.from('this is no archive, however long it is made to be'.repeat(20)), {}, /tar/],
  'a cut tar': [contextTar({ Dockerfile: 'FROM busybox' }).subarray(0, 516), {}, /unexpected end of the archive/],
  'a cut gzip': [gzipSync(contextTar({ Dockerfile: 'FROM busybox' })).subarray(0, 40), {}, /gzip stream/],
  'a name that climbs out': [Buffer.concat([entry('../x', ''), endOfArchive]), {}, /path escapes/],
  'a hard link to nothing': [
    Buffer.concat([header({ name: 'x', type: '1', link: 'etc/passwd' }), endOfArchive]),
    {},
    /hardlink target .* not found/,
  ],
  'a file in a file': [Buffer.concat([entry('x', ''), entry('x/y', ''), endOfArchive]), {}, /is not a directory|is no folder/],
  'a bad pattern': [{ Dockerfile: 'FROM busybox', '.dockerignore': '[' }, {}, /syntax error in pattern "\["/],
  'a huge .dockerignore': [{ Dockerfile: 'FROM busybox', '.dockerignore': 'x\n'.repeat(600_000) }, {}, /\.dockerignore has 1200000 bytes/],
  'an unknown target': [{ Dockerfile: 'FROM busybox AS a' }, { target: 'b' }, /failed to reach build target b in Dockerfile/],
  'a bad tag': [{ Dockerfile: 'FROM busybox' }, { tags: ['UPPER'] }, /must be lowercase/],
  'a bad epoch': [{ Dockerfile: 'FROM busybox' }, { buildArgs: { SOURCE_DATE_EPOCH: 'now' } }, /no number of seconds/],
  'an unknown remote': [{}, { context: { kind: 'remote', url: 'zz://x' } }, /is no http or https address, and no git repository/],
  'a whiteout': [{ Dockerfile: 'FROM busybox\nCOPY . /\n', 'etc/.wh.passwd': '' }, {}, /names that begin with \.wh\./],
};

for (const [what, [context, options, problem]] of Object.entries(bad)) {
  test(`Builds.build() refuses ${what}`, async () => assert.match(await failureOf(context, options), problem));
}

test('Builds.build() takes names, links and folders of a hostile context for what they are inside it', async () => {
  mkdirSync('/run/canary', { recursive: true });
  writeFileSync('/run/canary/secret', 'canary');
  const context = Buffer.concat([
    header({ name: 'out', type: '2', link: '/run/canary' }),
    entry('out/written', 'inside'),
    entry('Dockerfile', 'FROM busybox\nCOPY out/written /w\nCOPY . /all\nRUN cat /w; ls /all/run/canary; test ! -e /all/out/secret\n'),
    endOfArchive,
  ]);
  const { text } = await buildImage(under.engine, context);
  assert.match(text, /inside/);
  assert.deepEqual(readFileSync('/run/canary/secret', 'utf8'), 'canary');
  assert.match(
    await failureOf({ Dockerfile: 'FROM busybox AS evil\nRUN ln -s /run/canary /link\nFROM busybox\nCOPY --from=evil /link/secret /x\n' }),
    /file not found in evil/,
  );
  assert.match(
    await failureOf(
      {
        Dockerfile:
          'FROM busybox AS evil\nRUN ln -s /run/canary /link\nFROM busybox\nRUN --mount=from=evil,source=/link,target=/m cat /m/secret\n',
      },
      { forceRemove: true },
      'not_found',
    ),
    /Dockerfile:4 \| RUN/,
  );
});

test('Builds.build() ADD takes files from the web, and checks them', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/file.bin') response.writeHead(200, { 'Last-Modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }).end('content');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const sum = 'sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73';
    const { text } = await buildImage(under.engine, {
      Dockerfile: `FROM busybox\nADD --checksum=${sum} ${url}/file.bin /d/\nADD ${url}/file.bin /named\nRUN stat -c '%n %a %Y' /d/file.bin /named; cat /named\n`,
    });
    assert.match(text, /\/d\/file.bin 600 1700000000\n\/named 600 1700000000\ncontent/);
    assert.match(await failureOf({ Dockerfile: `FROM busybox\nADD ${url}/missing /x\n` }), /failed to download .*: 404/);
    assert.match(
      await failureOf({ Dockerfile: `FROM busybox\nADD --checksum=sha256:${'0'.repeat(64)} ${url}/file.bin /x\n` }),
      /digest mismatch/,
    );
    assert.match(await failureOf({ Dockerfile: 'FROM busybox\nADD http://127.0.0.1:1/x /x\n' }, {}, 'unavailable'), /failed to download/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('Builds.build() ends with its caller: the step is killed, and no container, file or image of it stays', async () => {
  const stop = new AbortController();
  const images = await under.engine.images.list({ all: true });
  const started = performance.now();
  await assert.rejects(
    buildImage(
      under.engine,
      { Dockerfile: 'FROM busybox\nRUN echo begun; sleep 600\n' },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.kind === 'output') stop.abort(new GantryError('cancelled', 'gone'));
        },
      },
    ),
    /gone/,
  );
  assert.ok(performance.now() - started < 30_000);
  assert.deepEqual(
    under.engine.containers.list({ all: true }).filter(({ config }) => config.Cmd?.join(' ').includes('begun')),
    [],
  );
  assert.equal((await under.engine.images.list({ all: true })).length, images.length);
});

test('Builds.build() takes a Dockerfile with a byte order mark, with lines of Windows, behind a link, and one that is left out', async () => {
  const text = 'FROM busybox\r\nCOPY . /c\r\nRUN ls -A /c \\\r\n  && echo it was built\r\n';
  const contexts = {
    'a byte order mark': contextTar({ Dockerfile: Buffer.from(`\u{FEFF}${text}`) }),
    'a link': Buffer.concat([header({ name: 'Dockerfile', type: '2', link: 'in/it' }), entry('in/it', text), endOfArchive]),
    'an absolute link': Buffer.concat([header({ name: 'Dockerfile', type: '2', link: '/in/it' }), entry('in/it', text), endOfArchive]),
    'left out': contextTar({ Dockerfile: text, '.dockerignore': 'Dockerfile\n.dockerignore\n' }),
  };
  for (const [what, context] of Object.entries(contexts)) {
    const { text: said } = await buildImage(under.engine, context);
    assert.match(said, /it was built/, what);
    assert.equal(/\nDockerfile\n/.test(said), what !== 'left out', what);
  }
});

test('Builds.build() that fails leaves the steps that succeeded in the cache, and nothing else', async () => {
  const { builds, images, containers } = under.engine;
  const known = new Set((await builds.cache()).map(({ id }) => id));
  const bytes = (await under.engine.system.diskUsage()).layersSizeBytes;
  const dockerfile = (last: string) => ({ Dockerfile: `FROM busybox\nRUN head -c 1000000 /dev/zero > /kept-of-a-failure\nRUN ${last}\n` });
  const message = await failureOf(dockerfile('head -c 5000000 /dev/zero > /not-kept; sleep 100 & kill -9 $!; wait $!'), {
    forceRemove: true,
  });
  assert.match(message, /returned a non-zero code: 137\n {2}Dockerfile:3 \| RUN/);
  const added = (await builds.cache()).filter(({ id }) => !known.has(id));
  assert.deepEqual(
    added.map(({ description, sizeBytes }) => [description, sizeBytes]),
    [['/bin/sh -c head -c 1000000 /dev/zero > /kept-of-a-failure', 1_000_000]],
  );
  assert.ok((await under.engine.system.diskUsage()).layersSizeBytes - bytes < 2_000_000);
  assert.equal(containers.list({ all: true }).length, 1);
  const { events } = await buildImage(under.engine, dockerfile('true'));
  assert.equal(events.flatMap((event) => (event.kind === 'done' ? [event.isCached ? 'c' : 'x'] : [])).join(''), 'ccx');
  assert.equal(images.inspect(added[0]?.id ?? '').config.rootfs.diff_ids.length, 2);
});

test('Builds.build() tells a step that used more memory than it may', async () => {
  const Dockerfile = 'FROM busybox\nRUN head -c 200m /dev/zero | tail\n';
  const hostConfig = { NetworkMode: 'none', Memory: 32 << 20, MemorySwap: 32 << 20 };
  await assert.rejects(buildImage(under.engine, { Dockerfile }, { hostConfig }), (error) => {
    assert.match(messageOf(error), /The command '.*head -c 200m.*' returned a non-zero code: 137/);
    assert.match((error as { readonly hint?: string }).hint ?? '', /more memory than it may/);
    return true;
  });
});

test('Builds.build() gives steps the network and the privileges that their Dockerfile asks for, where that is allowed', async () => {
  const Dockerfile = `FROM busybox
RUN mkdir -p /m && mount -t tmpfs none /m || echo refused
RUN --network=none ip link | grep -c ^[0-9]
RUN --network=host readlink /proc/self/ns/net
RUN --security=insecure mkdir -p /m && mount -t tmpfs none /m && echo mounted
`;
  const allow = ['network.host', 'security.insecure'];
  const { text } = await buildImage(under.engine, { Dockerfile }, { allow, noCache: true });
  assert.match(text, new RegExp(RegExp.escape(readlinkSync('/proc/self/ns/net'))));
  assert.match(text, /refused\n[\s\S]*\n1\n[\s\S]*\nmounted\n/);
});

test('Builds.build() ends what a step leaves running', async () => {
  const { text } = await buildImage(under.engine, {
    Dockerfile: 'FROM busybox\nRUN (sleep 4711 &) ; echo left\nRUN ps | grep -c 471[1] || true\n',
  });
  assert.match(text, /\nleft\n[\s\S]*\n0\n/);
  assert.doesNotMatch(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }), /sleep 4711/);
});

test('Builds.build() takes patterns of a .dockerignore that would drive others into the ground, and a file of many folders', async () => {
  const started = performance.now();
  const context = {
    '.dockerignore': `${'**/'.repeat(50)}*a*a*a*a*a*b\n!**/kept\n`,
    Dockerfile: 'FROM busybox\nCOPY . /c\nRUN find /c -type f | wc -l\n',
    [`${'a'.repeat(30)}/`.repeat(60) + 'a'.repeat(100)]: '',
    kept: '',
  };
  const tar = contextTar(context);
  const url = await served(tar);
  try {
    assert.match((await buildImage(under.engine, {}, { context: { kind: 'remote', url: url.href } })).text, /\n4\n/);
  } finally {
    await url.close();
  }
  assert.ok(performance.now() - started < 60_000);
});

test('Builds.build() of more steps with layers than an image may have is refused with the step', async () => {
  const message = await failureOf({
    Dockerfile: `FROM busybox\n${Array.from({ length: 140 }, (_, at) => `COPY f /f${at}\n`).join('')}`,
    f: '',
  });
  assert.match(message, /max depth exceeded/);
  assert.match(message, /Dockerfile:\d+ \| COPY f/);
});

test('Builds.build() holds a step that says much up while whoever is told is slow', async () => {
  let [told, largest, waiting] = [0, 0, 0];
  await buildImage(
    under.engine,
    { Dockerfile: 'FROM busybox\nRUN head -c 20000000 /dev/zero | tr "\\0" x\n' },
    {
      onEvent: (event) => {
        if (event.kind !== 'output') return;
        told += event.data.length;
        waiting += 1;
        largest = Math.max(largest, waiting);
      },
      taken: async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        waiting -= 1;
      },
    },
  );
  assert.deepEqual([told, largest], [20_000_000, 1]);
});

/** Under an address, as an archive. */
async function served(tar: Buffer): Promise<{ readonly href: string; close(): Promise<void> }> {
  const server = createServer((_request, response) => response.writeHead(200).end(tar));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    href: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/context`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
