import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GantryError } from '@gantry/sdk';
import { readLines } from '../../../plugins/builder/dockerfile/parse/lines.ts';
import { readDockerfile } from '../../../plugins/builder/dockerfile/parse/stages.ts';

function lines(text: string): readonly string[] {
  return readLines(Buffer.from(text), 'Dockerfile').lines.map(({ line, text: whole, heredocs }) =>
    [line, whole, ...heredocs.map(({ content }) => content)].join('|'),
  );
}

test('readLines() joins continued lines, without comments and empty lines between them', () => {
  assert.deepEqual(lines('# comment\nFROM a\nRUN echo a \\\n# comment\n  # indented\n\n  b \\  \n  && c\n\nCMD x\n'), [
    '2|FROM a',
    '3|RUN echo a   b   && c',
    '10|CMD x',
  ]);
  assert.deepEqual(lines('FROM a\r\nRUN b \\\r\n c\r\n'), ['1|FROM a', '2|RUN b  c']);
  assert.deepEqual(lines('FROM a\nRUN b\\\\\nRUN c \\'), ['1|FROM a', '2|RUN b\\\\', '3|RUN c']);
});

test('readLines() takes directives at the top only, and another escape character', () => {
  assert.deepEqual(lines('# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN b `\n c\\\nCMD d\n'), [
    '3|FROM a',
    '4|RUN b  c\\',
    '6|CMD d',
  ]);
  assert.deepEqual(lines('# hello\n# escape=`\nFROM a\\\nb\n'), ['3|FROM ab']);
  assert.equal(readLines(Buffer.from('# check=skip=all\n# syntax=x\nFROM a'), 'f').syntax, 'x');
});

test('readLines() takes heredocs of RUN, COPY and ADD, and of nothing else', () => {
  assert.deepEqual(
    lines('FROM a\nCOPY <<-"A" <<B /d/\n\tone\n\tA\ntwo\nB\nRUN cat <<E \\\n && true\n# no comment\nE\nENV x=<<y\nRUN ["<<z"]\n'),
    ['1|FROM a', '2|COPY <<-"A" <<B /d/|one\n|two\n', '7|RUN cat <<E  && true|# no comment\n', '11|ENV x=<<y', '12|RUN ["<<z"]'],
  );
});

test('readDockerfile() of anything answers, or refuses what is wrong with it', () => {
  const words = fc.constantFrom(
    'FROM a',
    'RUN',
    ' ',
    '\\',
    '\n',
    '<<EOF',
    'EOF',
    '"',
    "'",
    '--mount=',
    'type=cache',
    'target=/x',
    '#',
    'escape=`',
    '$',
    '{',
    '}',
    '[',
    ']',
    'COPY a b',
    'AS',
    'x',
    'ONBUILD',
    'ARG',
    '=',
    ',',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
      try {
        readDockerfile(Buffer.from(`FROM a\n${parts.join('')}`), 'Dockerfile');
      } catch (error) {
        assert.ok(GantryError.is(error) && error.code === 'invalid_argument', String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
