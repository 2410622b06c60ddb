import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentOf } from '../../../core/support/moment.ts';

const now = Date.parse('2026-01-02T03:04:05Z');

test('momentOf() reads durations, seconds and RFC 3339', () => {
  const rows: readonly (readonly [text: string, time: string])[] = [
    ['24h', '2026-01-01T03:04:05Z'],
    ['1h30m', '2026-01-02T01:34:05Z'],
    ['1.5h', '2026-01-02T01:34:05Z'],
    ['1.5s', '2026-01-02T03:04:03.500Z'],
    ['10ms', '2026-01-02T03:04:04.990Z'],
    ['12.5', '1970-01-01T00:00:12.500Z'],
    ['0', '1970-01-01T00:00:00Z'],
    ['1136073845.5', '2006-01-01T00:04:05.500Z'],
    ['2006-01-02T03:04:05Z', '2006-01-02T03:04:05Z'],
    ['2006-01-02T03:04:05.123456789+01:00', '2006-01-02T02:04:05.123Z'],
    ['2006-01-02T03:04Z', '2006-01-02T03:04:00Z'],
    ['2006-01-02T03Z', '2006-01-02T03:00:00Z'],
    ['2006-01-02Z', '2006-01-02T00:00:00Z'],
  ];
  for (const [text, time] of rows) assert.equal(momentOf(text, now), Date.parse(time), text);
  assert.equal(momentOf('2006-01-02', now), new Date(2006, 0, 2).getTime());
});

test('momentOf() knows nothing else', () => {
  for (const text of ['', 'yesterday', '1x', 'h', '-1', '2006-13-01', '2006-01-02T', '1'.repeat(70), `${'1h'.repeat(30)}x`]) {
    assert.equal(momentOf(text, now), undefined, text);
  }
});
