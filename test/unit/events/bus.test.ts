import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventBus } from '../../../core/events/index.ts';

async function collect(bus: EventBus, filters: Record<string, string[]>): Promise<string[]> {
  const actions: string[] = [];
  for await (const event of bus.subscribe({
    since: { seconds: 0, nanos: 0 },
    until: { seconds: 4e9, nanos: 0 },
    filters,
    signal: AbortSignal.timeout(5),
  })) {
    actions.push(`${event.type} ${event.action}`);
  }
  return actions;
}

function busWithHistory(): EventBus {
  const bus = new EventBus();
  bus.publish('container', 'create', 'abc123', { name: 'web', image: 'busybox:latest', tier: 'front' });
  bus.publish('container', 'health_status: healthy', 'abc123', { name: 'web', image: 'busybox:latest', tier: 'front' });
  bus.publish('network', 'connect', 'net1', { name: 'bridge', container: 'abc123' });
  bus.publish('image', 'tag', 'sha256:ff', { name: 'busybox:1.36' });
  return bus;
}

const rows: readonly (readonly [string, Record<string, string[]>, string[]])[] = [
  ['nothing filtered', {}, ['container create', 'container health_status: healthy', 'network connect', 'image tag']],
  ['type is exact', { type: ['network'] }, ['network connect']],
  ['an event is exact', { event: ['creat'] }, []],
  ['health_status is a prefix', { event: ['health_status'] }, ['container health_status: healthy']],
  ['a container by name prefix', { container: ['we'] }, ['container create', 'container health_status: healthy']],
  [
    'a container by id finds its network events',
    { container: ['abc123'] },
    ['container create', 'container health_status: healthy', 'network connect'],
  ],
  ['an image without its tag', { image: ['busybox'] }, ['container create', 'container health_status: healthy', 'image tag']],
  ['an image with its tag', { image: ['busybox:latest'] }, ['container create', 'container health_status: healthy']],
  ['an image with another tag', { image: ['busybox:1'] }, []],
  ['a label with its value', { label: ['tier=front'] }, ['container create', 'container health_status: healthy']],
  ['a label with another value', { label: ['tier=back'] }, []],
  ['two keys are both required', { type: ['container'], event: ['create'] }, ['container create']],
];
for (const [name, filters, expected] of rows) {
  test(`EventBus.subscribe() replays the past: ${name}`, async () => {
    assert.deepEqual(await collect(busWithHistory(), filters), expected);
  });
}

test('EventBus.subscribe() refuses an unknown filter by name', () => {
  assert.throws(() => new EventBus().subscribe({ filters: { bad: ['x'] } }), /invalid filter 'bad'/);
});

test('EventBus.subscribe() refuses until before since', () => {
  assert.throws(() => new EventBus().subscribe({ since: { seconds: 2, nanos: 0 }, until: { seconds: 1, nanos: 0 } }), /cannot be after/);
});

test('EventBus.subscribe() delivers what happens later and lets go on abort', async () => {
  const bus = new EventBus();
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of bus.subscribe({ signal: stop.signal })) seen.push(event.action);
  })();
  await new Promise(setImmediate);
  bus.publish('daemon', 'reload', 'x');
  await new Promise(setImmediate);
  stop.abort();
  await reading;
  assert.deepEqual({ seen, listeners: bus.listeners }, { seen: ['reload'], listeners: 0 });
});

test('EventBus cuts off a reader that falls behind, and tells it', async () => {
  const bus = new EventBus();
  const events = bus.subscribe({})[Symbol.asyncIterator]();
  const first = events.next();
  for (let index = 0; index < 5_000; index += 1) bus.publish('daemon', 'reload', 'x');
  await first;
  await assert.rejects(async () => {
    for (;;) await events.next();
  }, /fell 4096 events behind/);
});

test('EventBus.subscribe() ends at `until`, every time, although timers may fire early', async () => {
  const bus = new EventBus();
  const keepAlive = setTimeout(() => {}, 5_000);
  for (let round = 0; round < 40; round += 1) {
    const untilMs = Date.now() + 3;
    const until = { seconds: Math.floor(untilMs / 1e3), nanos: (untilMs % 1e3) * 1e6 + 250_000 };
    for await (const event of bus.subscribe({ until })) assert.fail(event.action);
  }
  clearTimeout(keepAlive);
  assert.equal(bus.listeners, 0);
});
