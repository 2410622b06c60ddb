import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PortBinding } from '@gantry/sdk/engine';
import { changedBindings } from '../../../core/lifecycle/update-ports.ts';

type Ports = Readonly<Record<string, readonly PortBinding[] | null>>;

const web = {
  name: 'web',
  hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '' }], '53/udp': null } },
};

const changes: readonly (readonly [what: string, add: Ports, remove: Ports, after: Ports | undefined])[] = [
  ['nothing', {}, {}, undefined],
  ['one more', { '81': [{ HostPort: '8081' }] }, {}, { ...web.hostConfig.PortBindings, '53/udp': [{}], '81/tcp': [{ HostPort: '8081' }] }],
  ['another that the engine chooses', { '53/udp': null }, {}, { ...web.hostConfig.PortBindings, '53/udp': [{}, {}] }],
  ['all of a port', {}, { '80/tcp': null }, { '53/udp': [{}] }],
  ['one host port', {}, { '80/tcp': [{ HostPort: '8080' }] }, { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }], '53/udp': [{}] }],
  ['one address', {}, { '80/TCP': [{ HostIp: '127.0.0.1' }] }, { '80/tcp': [{ HostPort: '8080' }], '53/udp': [{}] }],
  [
    'the same host port for another',
    { '81/tcp': [{ HostPort: '8080' }] },
    { '80/tcp': null, '53/udp': null },
    { '81/tcp': [{ HostPort: '8080' }] },
  ],
];

for (const [what, PublishAdd, PublishRemove, after] of changes)
  test(`changedBindings(): ${what}`, () => assert.deepEqual(changedBindings(web, { PublishAdd, PublishRemove }), after));

const refused: readonly (readonly [add: Ports, remove: Ports, message: string])[] = [
  [{ '80/tcp': [{ HostPort: '8080' }] }, {}, 'port 8080:80/tcp of container web is published already'],
  [{}, { '82/tcp': null }, 'port 82/tcp of container web is not published'],
  [{}, { '80/tcp': [{ HostIp: '::1', HostPort: '8080' }] }, 'port [::1]:8080:80/tcp of container web is not published'],
  [{}, { '80/udp': null }, 'port 80/udp of container web is not published'],
];

for (const [PublishAdd, PublishRemove, message] of refused)
  test(`changedBindings() refuses: ${message}`, () => {
    assert.throws(() => changedBindings(web, { PublishAdd, PublishRemove }), { code: 'conflict', message });
  });

test('changedBindings() says of a port that -P publishes why it is none of its own', () => {
  const all = { name: 'web', hostConfig: { PublishAllPorts: true } };
  assert.throws(() => changedBindings(all, { PublishAdd: undefined, PublishRemove: { '80/tcp': null } }), { hint: /\(-P\)/ });
});
