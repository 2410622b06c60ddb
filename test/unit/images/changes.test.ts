import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from '../../../core/images/index.ts';

const base = { Env: ['PATH=/bin', 'HOME=/root'], WorkingDir: '/w', Labels: { old: '1' } };

const rows: readonly (readonly [change: string, expected: object])[] = [
  ['CMD ls -l', { Cmd: ['/bin/sh', '-c', 'ls -l'] }],
  ['cmd ["ls", "-l"]', { Cmd: ['ls', '-l'] }],
  ["CMD ['ls']", { Cmd: ['/bin/sh', '-c', "['ls']"] }],
  ['CMD []', { Cmd: [] }],
  ['ENTRYPOINT ["/x"]', { Entrypoint: ['/x'] }],
  ['ENV A=1', { Env: ['PATH=/bin', 'HOME=/root', 'A=1'] }],
  ['ENV A the rest', { Env: ['PATH=/bin', 'HOME=/root', 'A=the rest'] }],
  [
    'ENV A="b c" B=\'$HOME\' C=$HOME/x D=${NO:-d} E=${HOME:+e} F=\\$x',
    { Env: ['PATH=/bin', 'HOME=/root', 'A=b c', 'B=$HOME', 'C=/root/x', 'D=d', 'E=e', 'F=$x'] },
  ],
  ['ENV PATH=/x:$PATH', { Env: ['PATH=/x:/bin', 'HOME=/root'] }],
  ['ENV A=', { Env: ['PATH=/bin', 'HOME=/root', 'A='] }],
  ['EXPOSE 80 53/UDP 7000-7002/tcp', { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '7000/tcp': {}, '7001/tcp': {}, '7002/tcp': {} } }],
  ['LABEL a=b "c d"="e f"', { Labels: { old: '1', a: 'b', 'c d': 'e f' } }],
  ['LABEL __proto__=x', { Labels: JSON.parse('{"old":"1","__proto__":"x"}') }],
  ['ONBUILD RUN make', { OnBuild: ['RUN make'] }],
  ['USER 1000:1000', { User: '1000:1000' }],
  ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
  ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
  ['WORKDIR /a/../b', { WorkingDir: '/b' }],
  ['WORKDIR sub', { WorkingDir: '/w/sub' }],
  ['WORKDIR ../../..', { WorkingDir: '/' }],
  ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
  ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
  ['HEALTHCHECK --interval=1m30s --retries=3 CMD curl x', { Healthcheck: { Test: ['CMD-SHELL', 'curl x'], Interval: 90e9, Retries: 3 } }],
  ['HEALTHCHECK CMD ["a"]', { Healthcheck: { Test: ['CMD', 'a'] } }],
  ['# nothing', {}],
  ['', {}],
];

for (const [change, expected] of rows) {
  test(`applyChanges() applies ${JSON.stringify(change)}`, () => assert.deepEqual(applyChanges(base, [change]), { ...base, ...expected }));
}

test('applyChanges() applies them in their order, lines of one change too', () => {
  assert.deepEqual(applyChanges({}, ['ENV A=1\nENV B=$A', 'CMD x', 'CMD y']), { Env: ['A=1', 'B=1'], Cmd: ['/bin/sh', '-c', 'y'] });
});

const refused: readonly (readonly [change: string, message: string])[] = [
  ['FOO bar', 'FOO is not a valid change command'],
  ['foo', 'foo is not a valid change command'],
  ['RUN x', 'RUN is not a valid change command'],
  ['__proto__ x', '__proto__ is not a valid change command'],
  ['CMD', 'CMD requires at least one argument'],
  ['ENV A', 'ENV must have two arguments'],
  ['ENV =x', 'ENV names can not be blank'],
  ['ENV A=1 B', 'Syntax error - can\'t find = in "B". Must be of the form: name=value'],
  ['ENV A="x', 'unexpected end of statement while looking for matching double-quote'],
  ['EXPOSE http', 'invalid containerPort: http'],
  ['EXPOSE 0', 'invalid containerPort: 0'],
  ['EXPOSE 90-80', 'invalid containerPort: 90-80'],
  ['EXPOSE 65536', 'invalid containerPort: 65536'],
  ['USER a b', 'USER requires exactly one argument'],
  ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
  ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['ONBUILD from x', "FROM isn't allowed as an ONBUILD trigger"],
  ['HEALTHCHECK x', 'Unknown type "x" in HEALTHCHECK (try CMD)'],
  ['HEALTHCHECK --bad=1 CMD x', 'unknown flag: --bad=1'],
];

for (const [change, message] of refused) {
  test(`applyChanges() refuses ${JSON.stringify(change)}`, () => {
    assert.throws(() => applyChanges(base, [change]), { code: 'invalid_argument', message });
  });
}
