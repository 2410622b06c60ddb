import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand } from '@gantry/sdk/builder';

const values: Readonly<Record<string, string>> = { a: 'A', path: '/usr/lib/x.tar.gz', empty: '', star: '*' };
const lookup = (name: string) => values[name];

const cases: readonly (readonly [text: string, expanded: string])[] = [
  ['$a ${a} x$a', 'A A xA'],
  ['$a_b|$none|$', '||$'],
  ['\\$a "\\$a" \'$a\' "$a"', '$a $a $a A'],
  ['"a\\b" a\\b \'a\\b\'', 'a\\b ab a\\b'],
  ['${none:-x}${empty:-y}${empty-z}${none-w}', 'xyw'],
  ['${a:+x}${empty:+y}${empty+z}${none+w}', 'xz'],
  ['${none:-${a}b}', 'Ab'],
  ['${a:?no}', 'A'],
  ['${path#*/} ${path##*/}', 'usr/lib/x.tar.gz x.tar.gz'],
  ['${path%.*} ${path%%.*}', '/usr/lib/x.tar /usr/lib/x'],
  ['${path/\\//_} ${path//\\//_}', '_usr/lib/x.tar.gz _usr_lib_x.tar.gz'],
  ['${path//[a-z]/-}', '/usr/lib/x.tar.gz'],
  ['${path/$star/-}', '/usr/lib/x.tar.gz'],
  ['${path/u?r}', '//lib/x.tar.gz'],
];
for (const [text, expanded] of cases) test(`expand(${JSON.stringify(text)})`, () => assert.equal(expand(text, { lookup }), expanded));

const refused: readonly (readonly [text: string, problem: RegExp])[] = [
  ['${', /bad substitution/],
  ['${a', /missing '}'/],
  ['${a:', /unsupported modifier/],
  ['${a:=b}', /unsupported modifier \(:=\)/],
  ['${none:?must be set}', /none: must be set/],
  ['"x', /matching double-quote/],
  ["'x", /matching single-quote/],
  ['${a#x', /missing '}'/],
  ['${a##*********x}', /more than 8 stars/],
];
for (const [text, problem] of refused)
  test(`expand(${JSON.stringify(text)}) is refused`, () => assert.throws(() => expand(text, { lookup }), problem));

test('expand() with a backtick for escaping, and of text, whose quotes stay', () => {
  assert.equal(expand('`$a \\$a', { lookup, escape: '`' }), '$a \\A');
  assert.equal(expand('"$a" \'$a\' \\$a \\n', { lookup, isText: true }), '"A" \'A\' $a \\n');
});
