import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { complaints, roomOf } from './arrows.ts';
import { rooms } from './table.ts';

const top = join(import.meta.dirname, '../..');
const sources = globSync('{core,plugins,sdk}/**/*.{ts,mjs}', { cwd: top, exclude: ['**/node_modules/**'] });

test('every import follows the arrows', () => {
  const said = sources.flatMap((file) => complaints(file, readFileSync(join(top, file), 'utf8')));
  assert.equal(said.length, 0, `\n${said.join('\n')}\n`);
});

test('every room has a door and a README of at most 20 lines', () => {
  const found = [...new Set(sources.map(roomOf))].filter((room) => room !== undefined && room !== 'core' && room !== 'sdk');
  const sdkRooms = readdirSync(join(top, 'sdk'), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && sources.some((file) => file.startsWith(`sdk/${entry.name}/`)) ? [`sdk/${entry.name}`] : [],
  );
  const lacks = [...found, ...sdkRooms].flatMap((room) => (room === undefined ? [] : lackOf(room)));
  assert.equal(lacks.length, 0, `\n${lacks.join('\n')}\n`);
});

test('the table names no room that is gone', () => {
  const gone = Object.keys(rooms).filter((room) => !existsSync(join(top, room.replace('/*', ''))));
  assert.deepEqual(gone, []);
});

for (const [file, source, complaint] of [
  ['core/layers/a.ts', "import { x } from '../lifecycle/index.ts';", /core\/layers may use core\/content.*: a layer is made of blobs/],
  [
    'core/layers/a.ts',
    "export * from '../../plugins/graph/overlay2/index.ts';",
    /a\.ts:1 imports plugins\/graph\/overlay2\/index\.ts\n {2}core\/layers may use/,
  ],
  ['core/layers/a.ts', "\nconst a = await import('../content/ingest.ts');", /a\.ts:2 .*\n {2}core\/content has one door/],
  ['core/images/a.ts', "import { type A, b } from '../layers/types.ts';", /core\/layers has one door/],
  ['core/images/a.ts', "import koffi from 'koffi';", /only sdk\/linux may: foreign functions/],
  ['core/lifecycle/a.ts', "import { createContainer } from 'awilix/lib/x';", /only core may/],
  ['core/nowhere/a.ts', "import '../support/index.ts';", /core\/nowhere is no room yet/],
  [
    'plugins/graph/vfs/a.ts',
    "import '../overlay2/index.ts';",
    /plugins\/graph\/vfs may use @gantry\/sdk: a plugin sees the SDK and itself/,
  ],
  ['sdk/graph/a.ts', "import type { X } from '../../core/support/index.ts';", /sdk may use no other room/],
  ['core/events/a.ts', 'const home = process.env.HOME;', /take the setting as an argument/],
] as const) {
  test(`complaints() teaches what is wrong with ${JSON.stringify(source)} in ${file}`, () => {
    assert.match(complaints(file, source).join('\n'), complaint);
  });
}

for (const [file, source] of [
  [
    'core/images/a.ts',
    "import type { A } from '../layers/types.ts'; import { b } from '@gantry/sdk/linux'; import { c } from './c.ts'; import 'node:fs';",
  ],
  ['core/engine.ts', "import { a } from './lifecycle/index.ts'; import { createContainer } from 'awilix';"],
  ['core/bin/gantryd.ts', "import { createEngine } from '../index.ts'; const home = process.env.HOME;"],
  ['plugins/frontend/docker/a.ts', "import fastify from 'fastify'; import { notFound } from '@gantry/sdk';"],
] as const) {
  test(`complaints() has none about ${file} with ${source}`, () => {
    assert.deepEqual(complaints(file, source), []);
  });
}

function lackOf(room: string): string[] {
  const lacks: string[] = [];
  if (!hasOtherDoor(room) && !existsSync(join(top, room, 'index.ts'))) lacks.push(`${room} has no index.ts, its only door`);
  const readme = join(top, room, 'README.md');
  if (!existsSync(readme)) return [...lacks, `${room} has no README.md: say what it owns, what it refuses, where to start`];
  const count = readFileSync(readme, 'utf8').trimEnd().split('\n').length;
  return count > 20
    ? [...lacks, `${room}/README.md has ${count} lines: 20 are enough to say what it owns, what it refuses, where to start`]
    : lacks;
}

/** Programs are doors themselves; a plugin's door is what its manifest names. */
function hasOtherDoor(room: string): boolean {
  return room === 'core/bin' || room.startsWith('plugins/');
}

test('the top of the repository holds what it is to hold, and nothing that a test or a tool left there', (context) => {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: top, encoding: 'utf8' });
  if (listed.status !== 0) return context.skip('needs git and a clone');
  const names = new Set(listed.stdout.split('\0').flatMap((path) => (path === '' || path.startsWith('.') ? [] : path.split('/', 1))));
  const wanted = ['README.md', 'core', 'package-lock.json', 'package.json', 'plugins', 'proto', 'sdk', 'test', 'tsconfig.json'];
  assert.deepEqual([...names].toSorted(), wanted);
});
