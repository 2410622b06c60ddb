import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, schema } from '@gantry/sdk/rpc';

/** Bytes by hand: what no encoder of ours would write. */
const bytes = (...parts: readonly (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))));
const sized = (id: number, content: Uint8Array): Buffer => bytes((id << 3) | 2, varint(content.length), content);
function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) | 128);
  }
}

const stat = 'gantry.volume.v1.VolumeName';
const path = 'gantry.types.v1.Path';
const frame = 'gantry.plugin.v1.Frame';
const info = 'gantry.types.v1.ErrorInfo';
const timestamp = 'google.protobuf.Timestamp';

test('decode() refuses bytes that are no such message with invalid_argument, whatever is wrong', () => {
  const refused: Readonly<Record<string, readonly [type: string, given: Uint8Array]>> = {
    'a text that ends too early': [stat, bytes(0x0a, 10, 'abc')],
    'a text whose length has no end': [stat, Buffer.alloc(12, 0xff)],
    'a field of an unknown wire type': [stat, bytes(0x0e)],
    'a field of the other unknown wire type': [stat, bytes(0x0f)],
    'a group that never ends': [stat, bytes(0x13)],
    'groups in groups': [stat, Buffer.alloc(1_000_000, 0x13)],
    'a submessage that runs past its parent': [frame, sized(5, bytes(0x0a, 50, 'x'))],
    'a map entry that runs past its parent': [info, bytes(0x1a, 100, 0x0a, 1, 'k')],
    'a union without a member': [path, bytes()],
    'a number beyond 2^53': [timestamp, bytes(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    'a time that is none': [timestamp, bytes(0x08, varint(2 ** 50))],
    'JSON that is none': ['gantry.exec.v1.UpdateRequest', sized(2, Buffer.from('{"a":'))],
  };
  for (const [what, [type, given]] of Object.entries(refused)) assert.throws(() => decode(type, given), { code: 'invalid_argument' }, what);
});

test('decode() passes over what it does not know: fields, wire types of others, enum values', () => {
  const name = sized(1, Buffer.from('v'));
  for (const [what, extra] of Object.entries({
    'an unknown text': sized(999, Buffer.from('new')),
    'an unknown number': bytes(varint(998 << 3), varint(7)),
    'an unknown group': bytes(varint((997 << 3) | 3), varint((997 << 3) | 4)),
    'a known field of another wire type': bytes(0x08, 1),
  }))
    assert.deepEqual(decode(stat, bytes(name, extra)), { name: 'v' }, what);
  assert.deepEqual(decode('gantry.network.v1.Route', bytes(sized(1, Buffer.from('::/0')), varint(5 << 3), varint(120))), { to: '::/0' });
});

test('decode() takes the last member of a union alone', () => {
  const data = sized(1, Buffer.from('inside'));
  const host = sized(2, Buffer.from('/etc/shadow'));
  assert.deepEqual(decode(path, bytes(host, data)), { data: 'inside' });
  assert.deepEqual(decode(path, bytes(data, host)), { host: '/etc/shadow' });
  const call = encode(frame, { kind: 'call', id: 1, service: 's', method: 'm', driver: 'd', operationId: 'o' });
  const more = encode(frame, { kind: 'more', id: 2, toCaller: true });
  assert.deepEqual(decode(frame, bytes(call, more)), { kind: 'more', id: 2, toCaller: true });
});

test('decode() takes numbers in a list in one stretch, one by one, and none', () => {
  const listOf = (...given: readonly Uint8Array[]): unknown =>
    (decode('gantry.exec.v1.PidsResponse', bytes(...given)) as { readonly pids: unknown }).pids;
  const id = 1;
  const one = (value: number): Buffer => bytes(varint(id << 3), varint(value));
  assert.deepEqual(listOf(sized(id, bytes(1, 2, 3))), [1, 2, 3]);
  assert.deepEqual(listOf(one(1), one(2), sized(id, bytes(3))), [1, 2, 3]);
  assert.deepEqual(listOf(sized(id, bytes()), one(5)), [5]);
});

test('decode() makes keys of what would be something else in an object', () => {
  const metadata = JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}') as object;
  const decoded = decode(info, encode(info, { reason: '', domain: '', metadata })) as { readonly metadata: object };
  assert.deepEqual(Object.entries(decoded.metadata), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['toString', 'z'],
  ]);
  assert.equal(Object.getPrototypeOf(decoded.metadata), Object.prototype);
});

test('decode() reads a million entries of a list in a second or so', () => {
  const many = Buffer.alloc(2_000_000, sized(1, bytes()));
  const type = 'gantry.plugin.v1.NamesResponse';
  assert.equal((decode(type, many) as { readonly names: readonly string[] }).names.length, 1_000_000);
});

test('no message holds itself, so that nothing can be nested deeper than the contracts say', () => {
  const seen = (type: string, above: readonly string[]): void => {
    assert.ok(!above.includes(type), [...above, type].join(' > '));
    for (const field of schema.messages[type]?.fields ?? []) if (field.type.includes('.')) seen(field.type, [...above, type]);
  };
  for (const type of Object.keys(schema.messages)) seen(type, []);
});

test('encode() refuses what the contract does not allow, naming the place', () => {
  const attach = 'gantry.volume.v1.CreateRequest';
  const good = { name: 'v', options: {}, labels: {}, secrets: {} };
  const bad: Readonly<Record<string, readonly [type: string, given: unknown, message: RegExp]>> = {
    'another type': [stat, { name: 1 }, /VolumeName\.name must be a text, not 1/],
    'no object': [stat, 'v', /VolumeName must be an object, not "v"/],
    'no text in a map': [attach, { ...good, options: { size: 5 } }, /CreateRequest\.options\.size must be a text, not 5/],
    'a list for a map': ['gantry.plugin.v1.NamesResponse', { names: { a: 1 } }, /NamesResponse\.names must be a list, not an object/],
    'a number that is too large': ['gantry.plugin.v1.MoreFrame', { id: 2 ** 33, toCaller: true }, /MoreFrame\.id must be a whole number/],
    'a number below zero': ['gantry.plugin.v1.MoreFrame', { id: -1, toCaller: true }, /MoreFrame\.id must be a whole number/],
    'half a number': ['gantry.plugin.v1.MoreFrame', { id: 0.5, toCaller: true }, /MoreFrame\.id must be a whole number/],
    'no time': [timestamp, new Date(Number.NaN), /must be a date/],
    'no bytes': ['gantry.plugin.v1.ItemFrame', { id: 1, toCaller: true, payload: 'text' }, /ItemFrame\.payload must be a buffer/],
  };
  for (const [what, [type, given, message]] of Object.entries(bad))
    assert.throws(() => encode(type, given), { code: 'invalid_argument', message }, what);
});
