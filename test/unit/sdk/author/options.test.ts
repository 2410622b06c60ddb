import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOf, readOptions, type Static, t } from '@gantry/sdk/author';

const schema = t.Object({
  server: t.String({ format: 'host' }),
  size: t.Optional(t.Integer({ minimum: 1, maximum: 10 })),
  sync: t.Boolean({ default: false }),
  mode: t.Enum(['soft', 'hard'], { default: 'soft' }),
  url: t.Optional(t.String({ format: 'uri' })),
  key: t.Optional(t.Secret({ minLength: 8 })),
});
const base = { server: 'nfs.example' };

test('readOptions() converts texts to the types of the schema and fills in defaults', () => {
  const read = readOptions(schema, { ...base, size: '7', sync: 'TRUE' }, 'x') as Static<typeof schema>;
  assert.deepEqual(read, { server: 'nfs.example', size: 7, sync: true, mode: 'soft' });
});

const refused: readonly (readonly [string, Readonly<Record<string, string>>, string, RegExp])[] = [
  ['an unknown one', { ...base, nonsense: '1' }, 'OPTION_UNKNOWN', /"nonsense"/],
  ['a missing one', {}, 'OPTION_MISSING', /server/],
  ['an empty one', { server: '' }, 'OPTION_INVALID', /server .*empty/],
  ['a newline', { server: 'a\nb' }, 'OPTION_INVALID', /server .*newline/],
  ['a NUL', { server: 'a\0b' }, 'OPTION_INVALID', /server .*NUL/],
  ['no host name', { server: 'a b' }, 'OPTION_INVALID', /server .*host name/],
  ['no number', { ...base, size: 'much' }, 'OPTION_INVALID', /size .*whole number, not "much"/],
  ['a fraction', { ...base, size: '1.5' }, 'OPTION_INVALID', /size .*whole number/],
  ['a number with an exponent', { ...base, size: '1e1' }, 'OPTION_INVALID', /size/],
  ['a hexadecimal number', { ...base, size: '0x1' }, 'OPTION_INVALID', /size/],
  ['an empty number', { ...base, size: '' }, 'OPTION_INVALID', /size/],
  ['too small a number', { ...base, size: '0' }, 'OPTION_INVALID', /size .*at least 1/],
  ['too great a number', { ...base, size: '11' }, 'OPTION_INVALID', /size .*at most 10/],
  ['a number that no number can hold', { ...base, size: '9'.repeat(40) }, 'OPTION_INVALID', /size/],
  ['no truth', { ...base, sync: 'perhaps' }, 'OPTION_INVALID', /sync .*true or false/],
  ['none of the allowed', { ...base, mode: 'firm' }, 'OPTION_INVALID', /mode .*soft, hard/],
  ['no address', { ...base, url: 'nowhere' }, 'OPTION_INVALID', /url/],
  ['a name of every object', { ...base, constructor: '1' }, 'OPTION_UNKNOWN', /constructor/],
  ['a name of every prototype', JSON.parse('{"server":"a","__proto__":"1"}') as Record<string, string>, 'OPTION_UNKNOWN', /__proto__/],
];
for (const [what, given, reason, message] of refused) {
  test(`readOptions() refuses ${what} and names the option`, () => {
    assert.throws(() => readOptions(schema, given, 'driver x'), { code: 'invalid_argument', reason, message });
  });
}

test('readOptions() never shows a secret that is wrong', () => {
  assert.throws(
    () => readOptions(schema, { ...base, key: 'hunter2' }, 'x'),
    (error: Error) => /key/.test(error.message) && !error.message.includes('hunter2'),
  );
});

test('problemsOf() tells the place of everything that is wrong', () => {
  const settings = t.Object({ servers: t.Array(t.Object({ host: t.String() })), url: t.String() });
  const found = problemsOf(settings, { servers: [{ host: 'a' }, { host: 7 }, { hots: 'b' }], more: 1 }).map(
    ({ path, message }) => `${path} ${message}`,
  );
  assert.deepEqual(found, [
    'url is missing',
    'servers[1].host must be a text, not 7',
    'servers[2].host is missing',
    'servers[2].hots is unknown',
    'more is unknown',
  ]);
});

test('t makes plain JSON Schema', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(t.Object({ a: t.Optional(t.Integer()), b: t.Secret() }))), {
    type: 'object',
    properties: { a: { type: 'integer' }, b: { type: 'string', minLength: 1, 'x-secret': true } },
    required: ['b'],
    additionalProperties: false,
  });
});
