import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode, encode, schema } from '@gantry/sdk/rpc';

type FieldSchema = (typeof schema.messages)[string]['fields'][number];

const messages = [
  ...new Set(
    Object.values(schema.services).flatMap(({ methods }) => Object.values(methods).flatMap(({ request, answer }) => [request, answer])),
  ),
];

for (const type of messages) {
  test(`decode(encode(x)) is x for every ${type}`, () => {
    fc.assert(
      fc.property(messageOf(type), (message) => assert.deepEqual(decode(type, encode(type, message)), message)),
      { numRuns: 40 },
    );
  });
}

test('decode() answers with a message or with invalid_argument, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.constantFrom(...messages), fc.uint8Array({ maxLength: 64 }), (type, bytes) => {
      try {
        decode(type, bytes);
      } catch (error) {
        assert.equal((error as { readonly code?: string }).code, 'invalid_argument');
      }
    }),
    { numRuns: 5_000 },
  );
});

function messageOf(type: string): fc.Arbitrary<unknown> {
  if (type === 'google.protobuf.Timestamp') return fc.date({ noInvalidDate: true });
  if (type === 'google.protobuf.Empty') return fc.constant({});
  const { fields = [], union } = schema.messages[type] ?? {};
  const plain = fields.filter(({ rule }) => rule !== 'member');
  const record = fc.record(Object.fromEntries(plain.map((field) => [field.name, fieldOf(field)])), {
    requiredKeys: plain
      .filter((field) => field.rule !== 'optional' && field.omitEmpty !== true && field.json !== true)
      .map(({ name }) => name),
    noNullPrototype: true,
  });
  if (union === undefined) return record;
  const members = fields.filter(({ rule }) => rule === 'member');
  const chosen = fc.oneof(
    ...members.map((member) =>
      union.isFlat
        ? messageOf(member.type).map((value) => ({ ...(value as object), [union.name]: member.name }))
        : valueOf(member).map((value) => ({ [member.name]: value })),
    ),
  );
  return fc.tuple(record, chosen).map(([own, member]) => ({ ...own, ...member }));
}

function fieldOf(field: FieldSchema): fc.Arbitrary<unknown> {
  const minLength = field.omitEmpty === true ? 1 : 0;
  if (field.rule === 'repeated') return fc.array(valueOf(field), { minLength, maxLength: 4 });
  if (field.rule === 'map')
    return fc.dictionary(fc.string({ unit: 'grapheme' }), valueOf(field), { minKeys: minLength, maxKeys: 4, noNullPrototype: true });
  return field.omitEmpty === true ? valueOf(field).filter((value) => value !== '' && value !== 0 && value !== false) : valueOf(field);
}

function valueOf({ type, json, texts = [] }: FieldSchema): fc.Arbitrary<unknown> {
  if (json === true)
    return fc
      .jsonValue()
      .filter((value) => value !== null)
      .map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  switch (type) {
    case 'string':
      return fc.string({ unit: 'grapheme' });
    case 'bytes':
      return fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.nat({ max: 0xffff_ffff });
    case 'int64':
      return fc.maxSafeInteger();
    case 'uint64':
      return fc.maxSafeNat();
    case 'double':
      return fc.double().map((value) => (value === 0 ? 0 : value));
    case 'enum':
      return fc.constantFrom(...texts.filter((text) => text !== null));
    default:
      return messageOf(type);
  }
}
