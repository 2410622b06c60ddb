import { after } from 'node:test';
import { MemoryLogDriver } from '@gantry/sdk/testing';
import type { ReadResponse } from '@gantry/sdk/log';
import { type LogAbility, logCases } from '../../sdk/log/conformance.ts';
import { FluentReceiver } from '../support/servers/fluent-receiver.ts';
import { GelfReceiver } from '../support/servers/gelf-receiver.ts';
import { HttpReceiver } from '../support/servers/http-receiver.ts';
import { Journald } from '../support/servers/journald.ts';
import { logContext as ctx, loggedInfo, testLogDriver } from '../support/plugins/log-subject.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { testPlacements } from '../support/plugins/placed-suite.ts';
import { Rsyslog } from '../support/servers/rsyslog.ts';

inNamespaces(import.meta.url);

// All of them before the first test: the runner takes a pause between tests of which none is wanted for the end, and runs no `after` then.
const syslog = await Rsyslog.start();
const fluent = await FluentReceiver.listen({ port: 24_224, host: '127.0.0.1' });
const graylog = new GelfReceiver(12_201);
const journal = await Journald.start();
const posted = await HttpReceiver.listen(3_100);
after(async () => {
  graylog[Symbol.dispose]();
  for (const receiver of [posted, journal, fluent, syslog]) await receiver[Symbol.asyncDispose]();
});

testPlaced('json-file', ['read', 'attributes', 'purge']);
testPlaced('local', ['read', 'attributes', 'purge']);
testPlaced('none', ['refuse']);
testPlaced('journald', []);
testPlaced('fluentd', [], { 'fluentd-request-ack': 'true' });
testPlaced('gelf', [], { 'gelf-address': 'udp://127.0.0.1:12201' });
testPlaced('http', [], { 'http-url': 'http://127.0.0.1:3100/' });
testPlaced('loki', [], { 'loki-url': 'http://127.0.0.1:3100/loki/api/v1/push' });
testPlaced('syslog', [], { 'syslog-address': `tcp://127.0.0.1:${syslog.ports.tcp}` });

const memory = new MemoryLogDriver();
testLogDriver('memory', ['read', 'attributes', 'purge'], () => memory);

function testPlaced(name: string, given: readonly LogAbility[], options: Readonly<Record<string, string>> = {}): void {
  const abilities = new Set(given);
  testPlacements({
    label: `${name} log`,
    plugin: `log/${name}`,
    kind: 'log',
    driver: name,
    // How many lines go together is a matter of time.
    answers: { varying: [/web\/[0-9a-f]{12}/g], ofStream: (method, items) => (method === 'read' ? joined(items) : items.at(-1)) },
    cases: logCases.filter(({ needs }) => needs.every((need) => abilities.has(need))),
    async run({ run }, { driver, restart, folder }) {
      await run({ driver, ctx, abilities, options, container: (facts) => loggedInfo(folder, facts), restart });
    },
  });
}

function joined(items: readonly unknown[]): unknown {
  const answers = items as readonly ReadResponse[];
  return { ...Object.assign({}, ...answers), entries: answers.flatMap(({ entries }) => entries) };
}
