import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { FluentReceiver } from '../support/servers/fluent-receiver.ts';
import { GelfReceiver } from '../support/servers/gelf-receiver.ts';
import { HttpReceiver } from '../support/servers/http-receiver.ts';
import { Journald } from '../support/servers/journald.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Rsyslog } from '../support/servers/rsyslog.ts';
import { untilTrue as until } from '../support/servers/sent-log.ts';

inNamespaces(import.meta.url);

const skip = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';
const options = { skip, timeout: 120_000 };

// Drivers that send what a container prints to a receiver: `docker logs` shows it all the same, and the receiver has it, too.
let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'logs-')) });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());
const { docker, both, refused } = dockerCli(() => daemon);

interface Receiving {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  /** Whether a container of this name printed this, as far as the receiver knows. */
  readonly has: (name: string, text: string) => boolean;
  readonly end: () => void | PromiseLike<void>;
}

const receivers: Readonly<Record<string, () => Promise<Receiving>>> = {
  syslog: async () => {
    const rsyslog = await Rsyslog.start();
    return {
      driver: 'syslog',
      options: { 'syslog-address': `tcp://127.0.0.1:${rsyslog.ports.tcp}`, 'syslog-format': 'rfc5424', tag: '{{.Name}}' },
      has: (name, text) => rsyslog.messages().some(({ app, msg }) => app === name && msg.includes(text)),
      end: () => rsyslog[Symbol.asyncDispose](),
    };
  },
  journald: async () => {
    const journald = await Journald.start();
    return {
      driver: 'journald',
      options: { tag: '{{.Name}}' },
      has: (name, text) => journald.records(name).some(({ MESSAGE }) => MESSAGE === text),
      end: () => journald[Symbol.asyncDispose](),
    };
  },
  gelf: async () => {
    const gelf = new GelfReceiver(12_201);
    return {
      driver: 'gelf',
      options: { 'gelf-address': 'udp://127.0.0.1:12201' },
      has: (name, text) => gelf.messages.some((message) => message['_container_name'] === name && message['short_message'] === text),
      end: () => gelf[Symbol.dispose](),
    };
  },
  fluentd: async () => {
    const fluentd = await FluentReceiver.listen({ port: 24_224, host: '127.0.0.1' });
    return {
      driver: 'fluentd',
      options: { 'fluentd-address': '127.0.0.1:24224', tag: '{{.Name}}' },
      has: (name, text) => fluentd.events.some(({ tag, record }) => tag === name && record['log'] === text),
      end: () => fluentd[Symbol.asyncDispose](),
    };
  },
  loki: async () => {
    const loki = await HttpReceiver.listen(3_100);
    return {
      driver: 'loki',
      options: { 'loki-url': 'http://127.0.0.1:3100/loki/api/v1/push', 'loki-external-labels': 'name={{.Name}}' },
      has: (name, text) => loki.posted.some(({ body }) => body.includes(`"name":"${name}"`) && body.includes(`"${text}"`)),
      end: () => loki[Symbol.asyncDispose](),
    };
  },
  http: async () => {
    const http = await HttpReceiver.listen(3_101);
    return {
      driver: 'http',
      options: { 'http-url': 'http://127.0.0.1:3101/', tag: '{{.Name}}' },
      has: (name, text) => http.posted.some(({ body }) => body.includes(name) && body.includes(`"${text}"`)),
      end: () => http[Symbol.asyncDispose](),
    };
  },
};

for (const [kind, begin] of Object.entries(receivers)) {
  test(
    `docker logs with ${kind}: streams, tail, times, since and until, attributes, follow; the receiver has every line`,
    options,
    async () => {
      const receiver = await begin();
      try {
        const id = await runs(`${kind}-lines`, receiver, 'for i in 1 2 3 4; do echo out $i; echo err $i >&2; sleep 0.3; done', {
          labels: 'team',
          env: 'MODE',
        });
        const followed = await both('logs', '--follow', id);
        assert.deepEqual([followed.stdout, followed.stderr], [lines('out'), lines('err')]);
        await docker('wait', id);
        const { stdout, stderr } = await both('logs', id);
        assert.deepEqual([stdout, stderr], [lines('out'), lines('err')]);
        const [, second = '', third = ''] = (await both('logs', '--timestamps', id)).stdout
          .split('\n')
          .map((line) => line.split(' ')[0] ?? '');
        assert.match(second, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
        assert.equal((await both('logs', '--since', second, '--until', third, id)).stdout, 'out 2\nout 3\n');
        const end = await both('logs', '--tail', '3', '--details', id);
        assert.deepEqual([...end.stdout.split('\n'), ...end.stderr.split('\n')].filter((line) => line !== '').length, 3);
        assert.match(end.stdout, /MODE=x%3Dy,(tag=[\w-]+,)?team=a%20b out 4\n$/);
        await until(() => ['out 1', 'err 1', 'out 4', 'err 4'].every((text) => receiver.has(`${kind}-lines`, text)));
        await docker('rm', id);
      } finally {
        await receiver.end();
      }
    },
  );

  test(`docker logs with ${kind}: a line of 16 KiB and one of 1 MiB, any bytes, and what has no end`, options, async () => {
    const receiver = await begin();
    try {
      const octal = Array.from({ length: 255 }, (_, byte) => `\\${(byte + 1).toString(8).padStart(3, '0')}`).join('');
      const long = (length: number, letter: string): string => `head -c ${length} /dev/zero | tr '\\0' ${letter}; echo`;
      const script = `${long(16_384, 'a')}; ${long(1_048_576, 'b')}; printf '${octal}\\n'; echo last; printf unfinished`;
      const id = await runs(`${kind}-odd`, receiver, script);
      await docker('wait', id);
      const shown = await buffer(await daemon.api.open('GET', `/containers/${id}/logs?stdout=1`));
      const bytes = Buffer.from(Array.from({ length: 255 }, (_, byte) => byte + 1));
      const wanted = Buffer.concat([
        Buffer.from(`${'a'.repeat(16_384)}\n${'b'.repeat(1_048_576)}\n`),
        bytes,
        Buffer.from('\nlast\nunfinished'),
      ]);
      assert.ok(withoutHeads(shown).equals(wanted), 'not what it printed');
      await until(() => receiver.has(`${kind}-odd`, 'last'));
      await docker('rm', id);
    } finally {
      await receiver.end();
    }
  });
}

test('docker logs with none says that nothing is kept, and the container runs all the same', options, async () => {
  const id = await docker('run', '-d', '--network', 'none', '--log-driver', 'none', 'busybox', 'sh', '-c', 'seq 1 100000');
  assert.equal(await docker('wait', id), '0');
  assert.match(await refused('logs', id), /configured logging driver does not support reading/);
  await docker('rm', id);
});

async function runs(
  name: string,
  { driver, options: ofDriver }: Receiving,
  script: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const given = Object.entries({ ...ofDriver, ...more }).flatMap(([key, value]) => ['--log-opt', `${key}=${value}`]);
  const facts = ['--label', 'team=a b', '--env', 'MODE=x=y', '--network', 'none', '--stop-signal', 'KILL'];
  return docker('run', '-d', '--name', name, ...facts, '--log-driver', driver, ...given, 'busybox', 'sh', '-c', script);
}

function lines(stream: string): string {
  return [1, 2, 3, 4].map((number) => `${stream} ${number}\n`).join('');
}

/** Of a multiplexed answer what was printed. */
function withoutHeads(answer: Buffer): Buffer {
  const found: Buffer[] = [];
  for (let at = 0; at < answer.length; ) {
    const end = at + 8 + answer.readUInt32BE(at + 4);
    found.push(answer.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(found);
}
