import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
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

/** What a command says in a container of an image. */
async function said(image: string, ...command: readonly string[]): Promise<string> {
  const { stdout, stderr } = await under.run('', { config: { Image: image, Cmd: command } });
  return stdout + stderr;
}

test('Builds.build() makes an image step by step, tells it in the classic words, and the second time all of it is in the cache', async () => {
  const context = {
    Dockerfile:
      'FROM busybox\nENV WHO=world\nWORKDIR /app\nCOPY a.txt sub/ ./\nRUN echo "hello $WHO" | tee greeting; echo oops >&2\nCMD ["cat", "greeting"]\n',
    'a.txt': 'A',
    'sub/b.txt': 'B',
  };
  const first = await buildImage(under.engine, context, { tags: ['app'] });
  assert.equal(
    first.text,
    `Step 1/6 : FROM busybox
 ---> ID
Step 2/6 : ENV WHO=world
 ---> ID
Step 3/6 : WORKDIR /app
 ---> ID
Step 4/6 : COPY a.txt sub/ ./
 ---> ID
Step 5/6 : RUN echo "hello $WHO" | tee greeting; echo oops >&2
 ---> Running in ID
hello world
\u001B[91moops
\u001B[0m ---> Removed intermediate container ID
 ---> ID
Step 6/6 : CMD ["cat", "greeting"]
 ---> ID
Successfully built ID
Successfully tagged app:latest
`,
  );
  assert.equal(await said('app', 'sh', '-c', 'pwd; ls; cat a.txt b.txt greeting'), '/app\na.txt\nb.txt\ngreeting\nABhello world\n');
  const again = await buildImage(under.engine, context);
  assert.equal(again.id, first.id);
  assert.equal(again.text.split(' ---> Using cache\n').length, 6);
  const history = under.engine.images.history('app').map(({ created_by: by = '' }) => by.replaceAll(/[0-9a-f]{64}/g, 'HASH'));
  assert.deepEqual(history.slice(0, 5), [
    '/bin/sh -c #(nop)  CMD ["cat" "greeting"]',
    '/bin/sh -c echo "hello $WHO" | tee greeting; echo oops >&2',
    '/bin/sh -c #(nop) COPY multi:HASH in ./ ',
    '/bin/sh -c #(nop) WORKDIR /app',
    '/bin/sh -c #(nop)  ENV WHO=world',
  ]);
  assert.equal(under.engine.containers.list({ all: true }).length, 1, 'the one that keeps threads warm');
});

test('Builds.build() keys: a changed file or argument misses, touched times and other arguments do not', async () => {
  const dockerfile = 'FROM busybox\nARG V\nCOPY f /f\nRUN echo "$V" > /v\nARG OTHER=1\nLABEL a=b\n';
  const ran = async (files: Readonly<Record<string, string>>, buildArgs: Readonly<Record<string, string>>): Promise<string> => {
    const { events } = await buildImage(under.engine, { Dockerfile: dockerfile, ...files }, { buildArgs });
    return events.flatMap((event) => (event.kind === 'done' ? [event.isCached ? 'c' : 'x'] : [])).join('');
  };
  assert.equal(await ran({ f: '1' }, { V: 'a' }), 'cxxxxx');
  assert.equal(await ran({ f: '1', g: 'not copied' }, { V: 'a' }), 'cccccc');
  assert.equal(await ran({ f: '1' }, { V: 'b' }), 'cccxxx');
  assert.equal(await ran({ f: '2' }, { V: 'a' }), 'ccxxxx');
  assert.equal(await ran({ f: '1' }, { V: 'a', OTHER: '2' }), 'cccccc');
});

test('Builds.build() stages: those that nothing needs are not run, others at once; COPY --from takes from stages, numbers and images', async () => {
  const { text, id } = await buildImage(under.engine, {
    Dockerfile: `FROM busybox AS unneeded
RUN exit 9
FROM busybox AS one
RUN mkdir /out && echo 1 > /out/one && chown guest /out/one
FROM busybox AS two
RUN echo 2 > /two
FROM scratch AS final
COPY --from=one /out/ /
COPY --from=2 /two /
COPY --from=busybox /bin/busybox /bin/sh /bin/
FROM final AS last
`,
  });
  assert.doesNotMatch(text, /unneeded/);
  assert.match(text, /Step 9\/9 : FROM final AS last/);
  const list = await said(id, '/bin/busybox', 'ls', '-ln', '/one', '/two', '/bin/busybox');
  assert.match(list, /1000 +0 .*\/one/);
  assert.equal(await said(id, '/bin/busybox', 'cat', '/one', '/two'), '1\n2\n');
});

test('Builds.build() copies as Docker does: folders by content, patterns, owners, modes, links below, archives unpacked by ADD alone', async () => {
  const inner = contextTar({ 'in/file': ['inner', { uid: 7, gid: 8, mode: 0o640 }] });
  await under.image('linked', [
    header({ name: 'real', type: '5', mode: 0o755, uid: 5 }),
    header({ name: 'link', type: '2', link: 'real' }),
  ]);
  const context = Buffer.concat([
    header({ name: 'dir', type: '5', mode: 0o750 }),
    entry('dir/a', 'a', { uid: 500, mode: 0o600 }),
    entry('dir/b.log', 'b'),
    header({ name: 'dir/to-a', type: '2', link: 'a' }),
    header({ name: 'dir/hard', type: '1', link: 'dir/a' }),
    entry('in.tar', inner),
    entry('in.tgz', gzipSync(inner)),
    entry('broken.tgz', gzipSync(inner).subarray(0, 40)),
    entry(
      'Dockerfile',
      `FROM linked
COPY dir /dir
COPY --chown=guest:users --chmod=0711 dir/*.log /logs/
COPY dir/a /link/x
COPY --exclude=**/*.log dir /some
COPY --parents dir/./a dir/to-a /kept/
COPY --link --chmod=u+x,go=r,g-r dir/a /changed/
COPY --chmod=a+rX,o-x dir /opened
ADD in.tar /t1/
ADD in.tgz broken.tgz /t2/
COPY in.tar /t3
`,
    ),
    endOfArchive,
  ]);
  const { id } = await buildImage(under.engine, context);
  const listing = await said(
    id,
    'sh',
    '-c',
    'stat -c "%n %F %a %u:%g" /dir /dir/* /logs /logs/* /link /real /real/x /some/* /kept/* /kept/*/* /changed/a /opened /opened/a /t1/in /t1/in/* /t2/* /t2/in/* /t3',
  );
  assert.equal(
    listing,
    `/dir directory 750 0:0
/dir/a regular file 600 0:0
/dir/b.log regular file 644 0:0
/dir/hard regular file 600 0:0
/dir/to-a symbolic link 777 0:0
/logs directory 755 1000:100
/logs/b.log regular file 711 1000:100
/link symbolic link 777 0:0
/real directory 755 5:0
/real/x regular file 600 0:0
/some/a regular file 600 0:0
/some/hard regular file 600 0:0
/some/to-a symbolic link 777 0:0
/kept/a regular file 600 0:0
/kept/dir directory 750 0:0
/kept/dir/to-a regular file 600 0:0
/changed/a regular file 704 0:0
/opened directory 754 0:0
/opened/a regular file 644 0:0
/t1/in directory 755 0:0
/t1/in/file regular file 640 7:8
/t2/broken.tgz regular file 644 0:0
/t2/in directory 755 0:0
/t2/in/file regular file 640 7:8
/t3 regular file 644 0:0
`,
  );
  assert.equal(await said(id, 'stat', '-c', '%h', '/dir/a'), '2\n');
});

test('Builds.build() knows heredocs: scripts, input of a command, files with and without variables', async () => {
  const { id, text } = await buildImage(under.engine, {
    Dockerfile: `FROM busybox
ARG NAME=arg
RUN <<EOF
echo one > /s
echo two >> /s
EOF
RUN cat <<'A' > /in && echo done
$NAME "quoted"
A
RUN <<-END
	#!/bin/ash -e
	echo "by $0" > /bang
	END
COPY <<plain <<'raw' /files/
n=$NAME \\$x "q"
plain
n=$NAME
raw
`,
  });
  assert.match(text, /Step 5\/6 : RUN <<-END/);
  assert.equal(
    await said(id, 'sh', '-c', 'cat /s /in /files/plain /files/raw; test -s /bang && echo ok'),
    'one\ntwo\n$NAME "quoted"\nn=arg $x "q"\nn=$NAME\nok\n',
  );
});

test('Builds.build() of a base with ONBUILD runs the triggers, once', async () => {
  await buildImage(under.engine, { Dockerfile: 'FROM busybox\nONBUILD COPY f /f\nONBUILD RUN cp /f /g\n' }, { tags: ['onbuild'] });
  const { id, text } = await buildImage(under.engine, { Dockerfile: 'FROM onbuild\nRUN cat /g\n', f: 'F' });
  assert.match(text, /# Executing 1 build trigger: ONBUILD COPY f \/f/);
  assert.match(text, /Step 2\/2 : RUN cat \/g\n ---> Running in ID\nF ---> Removed/);
  assert.equal(under.engine.images.inspect(id).config.config?.OnBuild ?? null, null);
});

test('Builds.build() with SOURCE_DATE_EPOCH gives the same id in another engine', async () => {
  const context = { Dockerfile: 'FROM busybox\nCOPY f /deep/er/f\nENV a=b\nRUN echo x > /x\n', f: 'F' };
  const options = { buildArgs: { SOURCE_DATE_EPOCH: '1700000000' } };
  const { id } = await buildImage(under.engine, context, options);
  await using other = await EngineUnderTest.open();
  assert.equal((await buildImage(other.engine, context, options)).id, id);
  assert.equal(under.engine.images.inspect(id).created, '2023-11-14T22:13:20.000Z');
});

test('Builds.build() takes steps from images that whoever builds trusts, and from no others', async () => {
  const context = { Dockerfile: 'FROM busybox\nRUN head -c 8 /dev/urandom | od > /random\nENV a=b\n' };
  const { id } = await buildImage(under.engine, context, { tags: ['trusted'] });
  await using other = await EngineUnderTest.open();
  await other.engine.images.load(await under.engine.images.save(['trusted']), {});
  assert.notEqual((await buildImage(other.engine, context)).id, id);
  await other.engine.builds.prune({});
  const again = await buildImage(other.engine, context, { cacheFrom: ['missing', 'trusted'] });
  assert.equal(again.id, id);
  assert.equal(
    again.events.some(({ kind }) => kind === 'container'),
    false,
  );
});

test('Builds.build() mounts: files of stages and of the context, a cache that stays, memory, secrets that do not', async () => {
  const secret = async (id: string) => (id === 'key' ? Buffer.from('s3cret') : undefined);
  const dockerfile = `FROM busybox AS tools
RUN echo tool > /tool
FROM busybox
ARG N
RUN --mount=type=cache,target=/cache,id=../../x echo $N >> /cache/log && cat /cache/log
RUN --mount=type=bind,from=tools,target=/t --mount=type=bind,source=sub,target=/c cat /t/tool /c/file
RUN --mount=type=tmpfs,target=/m grep ' /m tmpfs' /proc/mounts | cut -d' ' -f2
RUN --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY --mount=type=secret,id=none cat /run/secrets/key && echo " $KEY" | wc -c
`;
  const context = { Dockerfile: dockerfile, 'sub/file': 'context\n' };
  const first = await buildImage(under.engine, context, { secret, buildArgs: { N: '1' } });
  assert.match(first.text, /\n1\n ---> Removed[\s\S]*tool\ncontext\n[\s\S]*\n\/m\n[\s\S]*s3cret8\n/);
  assert.match((await buildImage(under.engine, context, { secret, buildArgs: { N: '2' } })).text, /\n1\n2\n ---> Removed/);
  assert.equal(await said(first.id, 'sh', '-c', 'ls /run /cache /m 2>/dev/null; env | grep KEY'), '');
  await assert.rejects(
    buildImage(under.engine, { Dockerfile: 'FROM busybox\nRUN --mount=type=secret,id=x,required=true true\n' }),
    /secret x: not found/,
  );
});

test('Builds.build() mounts for writing what one step may change: nothing of it is in the image, in the source, or left', async () => {
  const { volumes } = under.engine;
  const cachesBefore = (await volumes.list({ filters: { label: ['gantry.build.cache'] } })).volumes.length;
  const dockerfile = `FROM busybox AS tools
RUN mkdir -p /d/in && echo tool > /d/in/tool && chown -R 7:8 /d
FROM busybox
RUN --mount=type=bind,from=tools,source=/d,target=/t,rw echo new > /t/new && stat -c '%n %u:%g' /t/in/tool && ls /t > /seen
RUN --mount=type=bind,target=/ctx,readwrite cd /ctx && echo more >> sub/file && rm Dockerfile && cat sub/file && ls
RUN --mount=type=bind,from=tools,source=/d,target=/t,rw ls /t
RUN --mount=type=bind,from=tools,source=/d,target=/t echo no > /t/new || echo cannot be written to
`;
  const { id, text } = await buildImage(under.engine, { Dockerfile: dockerfile, 'sub/file': 'context\n' });
  assert.match(text, /\n\/t\/in\/tool 7:8\n[\s\S]*\ncontext\nmore\nsub\n[\s\S]*\nin\n ---> Removed[\s\S]*cannot be written to\n/);
  assert.equal(await said(id, 'sh', '-c', 'cat /seen; ls -d /t/* /ctx/* 2>/dev/null'), 'in\nnew\n');
  assert.equal((await volumes.list({ filters: { label: ['gantry.build.cache'] } })).volumes.length, cachesBefore);
});

test('Builds.build() gives a cache that is new to whom its mount says, and leaves one that is used as it is', async () => {
  const build = (mount: string, run: string) =>
    buildImage(under.engine, { Dockerfile: `FROM busybox\nUSER 1000:1001\nRUN --mount=type=cache,target=/c,id=owned${mount} ${run}\n` });
  assert.match((await build(',uid=1000,gid=1001,mode=0750', 'stat -c "%u:%g %a" /c && echo x > /c/x')).text, /\n1000:1001 750\n/);
  assert.match((await build(',uid=5', 'stat -c "%u:%g %a" /c && cat /c/x')).text, /\n1000:1001 750\nx\n/);
});

test('Builds.cache() has what RUN --mount=type=cache keeps, of which lists of volumes and their pruning know nothing', async () => {
  const { builds, volumes, system } = under.engine;
  await buildImage(under.engine, { Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/kept head -c 70000 /dev/zero > /kept/f\n' });
  const kept = async () => (await builds.cache()).filter(({ kind }) => kind === 'exec.cachemount').map(({ description }) => description);
  assert.ok((await kept()).includes('cached mount /kept'));
  const mount = (await builds.cache()).find(({ description }) => description === 'cached mount /kept');
  assert.ok((mount?.sizeBytes ?? 0) >= 70_000);
  assert.deepEqual((await volumes.list({})).volumes, []);
  assert.deepEqual((await system.diskUsage()).volumes, []);
  assert.deepEqual((await volumes.prune({ filters: { all: ['true'] } })).deleted, []);
  assert.ok((await volumes.list({ filters: { label: ['gantry.build.cache'] } })).volumes.length > 0);
  for (const filters of [{ until: ['1h'] }, { type: ['regular'], id: ['none'] }, { inuse: ['true'] }, { description: ['none'] }])
    assert.deepEqual((await builds.prune({ all: true, filters })).deleted, [], JSON.stringify(filters));
  await assert.rejects(builds.prune({ filters: { some: ['x'] } }), /invalid filter 'some'/);
  await assert.rejects(builds.prune({ filters: { inuse: ['x'] } }), /invalid filter 'inuse=x': it is true or false/);
  await assert.rejects(builds.prune({ filters: { until: ['soon'] } }), /invalid duration "soon"/);
  await builds.prune({});
  assert.ok((await kept()).length > 0, 'a prune that is not of all leaves them');
  const pruned = await builds.prune({ filters: { type: ['exec.cachemount'] } });
  assert.ok(pruned.deleted.includes(mount?.id ?? ''));
  assert.ok(pruned.spaceReclaimed >= 70_000);
  assert.deepEqual(await kept(), []);
});

test('Builds.build() leaves nothing of the places of mounts in the image, but what lay there, and what a step put beside them', async () => {
  const { id } = await buildImage(
    under.engine,
    {
      Dockerfile: `FROM busybox
RUN mkdir -p /there/empty && ln -s /there /to-there
RUN --mount=type=secret,id=key --mount=type=cache,target=/a/b/c --mount=type=tmpfs,target=/t --mount=type=tmpfs,target=/there/empty \
  --mount=type=bind,target=/to-there/new --mount=type=tmpfs,target=/beside/mount echo kept > /beside/file
`,
    },
    { secret: async () => Buffer.from('s3cret') },
  );
  const found = await said(id, 'sh', '-c', 'find /run/* /a /t /there /to-there /beside 2>/dev/null | sort');
  assert.equal(found, '/beside\n/beside/file\n/there\n/there/empty\n/to-there\n');
});

test('Builds.build() COPY --link copies as without it: owners and modes of folders that lie below stay', async () => {
  const { id } = await buildImage(under.engine, {
    Dockerfile: 'FROM busybox\nRUN mkdir -m 1777 /open && chown guest /open && echo base > /open/base\nCOPY --link f /open/new/f\n',
    f: 'F',
  });
  const list = await said(id, 'sh', '-c', 'stat -c "%n %a %U" /open /open/new /open/new/f; cat /open/base /open/new/f');
  assert.equal(list, '/open 1777 guest\n/open/new 755 root\n/open/new/f 644 root\nbase\nF');
});

test('Builds.build() COPY --link keeps its layer when what is below it changes, and makes it anew where its folder is another', async () => {
  const built = async (below: string, copy: string, f = 'F') => {
    const context = { Dockerfile: `FROM busybox\nRUN mkdir -p /app && ${below}\n${copy}\nENV after=it\n`, 'd/f': f, 'd/sub/g': 'G' };
    const { id, events } = await buildImage(under.engine, context);
    const cached = events.flatMap((event) => (event.kind === 'done' ? [event.isCached ? 'c' : 'x'] : [])).join('');
    return { id, cached, layer: under.engine.images.inspect(id).config.rootfs.diff_ids.at(-1) };
  };
  const first = await built('echo 1 > /base', 'COPY --link --chown=7:8 d /app/d');
  const second = await built('echo 2 > /base', 'COPY --link --chown=7:8 d /app/d');
  assert.deepEqual([first.cached, second.cached], ['cxxx', 'cxcx'], 'only the base runs, and what is said behind is another image');
  assert.equal(second.layer, first.layer);
  assert.equal(await said(second.id, 'sh', '-c', 'cat /base /app/d/f /app/d/sub/g; stat -c %u:%g /app/d/f'), '2\nFG7:8\n');
  assert.equal((await built('echo 2 > /base', 'COPY --link --chown=7:8 d /app/d')).cached, 'cccc');
  assert.equal((await built('echo 3 > /base', 'COPY --link --chown=7:8 d /app/d', 'other')).cached, 'cxxx', 'another file');
  for (const [below, copy] of [
    ['echo 4 > /base', 'COPY --chown=7:8 d /app/d'],
    ['echo 5 > /base', 'COPY --link --chown=guest:users d /app/d'],
    ['chmod 700 /app', 'COPY --link --chown=7:8 d /app/d'],
    ['rmdir /app && mkdir /real && ln -s real /app', 'COPY --link --chown=7:8 d /app/d'],
  ] as const)
    assert.equal((await built(below, copy)).cached, 'cxxx', `${below} ${copy}`);
  const led = await built('rmdir /app && mkdir /real && ln -s real /app', 'COPY --link --chown=7:8 d /app/d');
  assert.equal(await said(led.id, 'cat', '/real/d/f'), 'F');
});
