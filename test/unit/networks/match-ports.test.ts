import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchPorts } from '../../../core/networks/ports/match-ports.ts';

const held = (hostPort: number, more: object = {}) => ({
  protocol: 'tcp' as const,
  containerPort: 80,
  hostIp: '0.0.0.0',
  hostPort,
  ...more,
});
const wish = (hostPort: number, more: object = {}) => ({
  protocol: 'tcp' as const,
  containerPort: 80,
  hostIp: '',
  hostPort,
  hostPortEnd: hostPort,
  ...more,
});

const both = [held(8080), held(8080, { hostIp: '::' })];
const chosen = held(49_999, { isChosen: true });

const rows: readonly (readonly [
  what: string,
  held: readonly ReturnType<typeof held>[],
  wishes: readonly ReturnType<typeof wish>[],
  kept: number,
  gone: number,
  missing: number,
])[] = [
  ['the same wish', both, [wish(8080)], 2, 0, 0],
  ['another host port', both, [wish(8081)], 0, 2, 1],
  ['another container port', both, [wish(8080, { containerPort: 81 })], 0, 2, 1],
  ['one of two addresses', both, [wish(8080, { hostIp: '::' })], 1, 1, 0],
  ['one that the engine chose, beside a fixed one', [...both, chosen], [wish(0)], 1, 2, 0],
  ['the fixed one, beside a chosen one', [...both, chosen], [wish(8080)], 2, 1, 0],
  ['both', [chosen, ...both], [wish(0), wish(8080)], 3, 0, 0],
  ['two that the engine chooses, of which one is there', [chosen], [wish(0), wish(0)], 1, 0, 1],
  ['within a range', [held(8085)], [wish(8080, { hostPortEnd: 8090 })], 1, 0, 0],
  ['outside a range', [held(8091)], [wish(8080, { hostPortEnd: 8090 })], 0, 1, 1],
  ['opened at the container’s own address', [held(0)], [wish(8080)], 1, 0, 0],
];

for (const [what, ports, wishes, kept, gone, missing] of rows)
  test(`matchPorts(): ${what}`, () => {
    const matched = matchPorts(ports, wishes);
    assert.deepEqual([matched.kept.length, matched.gone.length, matched.missing.length], [kept, gone, missing]);
  });
