import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpCases, type CpCase } from './docker-cp-cases.ts';
import type { DockerApi } from './docker-api.ts';
import { endOfArchive, entry, header } from '../images/tar-builder.ts';

/** Runs every case of `docker cp` at an engine that has the image busybox; `folder` is scratch. */
export async function proveCp(
  api: DockerApi,
  folder: string,
  test: (name: string, work: () => Promise<void>) => Promise<unknown>,
): Promise<void> {
  for (const one of cpCases) await test(one.name, () => prove(one, { api, folder }));
}

type Docker = (words: readonly string[], stdin?: Buffer) => ReturnType<DockerApi['docker']>;

interface Place {
  readonly api: DockerApi;
  readonly folder: string;
}

async function prove(
  { create = [], isRunning = false, setup = [], cp, input, says, code, leaves = {} }: CpCase,
  place: Place,
): Promise<void> {
  const host = hostTree(place.folder);
  const docker = (words: readonly string[], stdin?: Buffer) => place.api.docker(words, stdin === undefined ? {} : { input: stdin });
  const made = await docker(['create', '--network', 'none', ...create, 'busybox', 'sleep', '1000']);
  assert.equal(made.code, 0, made.stderr);
  const container = made.stdout.trim();
  try {
    if (isRunning) assert.equal((await docker(['start', container])).code, 0);
    const given = await docker(['cp', '-', `${container}:/`], containerTree());
    if (!create.includes('--read-only')) assert.equal(given.code, 0, given.stderr);
    const filled = (word: string) => word.replace(/^C:/, `${container}:`).replace(/^H(?=\/|$)/, host);
    for (const words of setup) assert.equal((await docker(words.map(filled))).code, 0, words.join(' '));
    const result = await docker(['cp', ...cp.map(filled)], input?.());
    if (says === undefined) assert.equal(result.code, 0, result.stderr);
    else assert.match(result.stderr, says, `code ${result.code}`);
    if (says !== undefined) assert.notEqual(result.code, 0);
    if (code !== undefined) assert.equal(result.code, code);
    const seen: Record<string, string> = {};
    for (const path of Object.keys(leaves)) {
      if (path === 'stdout') seen[path] = listed(result.stdout);
      else if (path.startsWith('owner of C:')) seen[path] = await ownerOf(docker, container, path.slice('owner of C:'.length));
      else seen[path] = path.startsWith('C:') ? await inside(docker, container, path.slice(2)) : outside(filled(path));
    }
    assert.deepEqual(seen, leaves);
  } finally {
    await docker(['rm', '-fv', container]);
  }
}

/** In the container, below /t. */
function containerTree(): Buffer {
  const link = (name: string, target: string) => header({ name, type: '2', link: target, mode: 0o777 });
  return Buffer.concat([
    header({ name: 't/', type: '5', mode: 0o755 }),
    header({ name: 't/dir/', type: '5', mode: 0o750 }),
    entry('t/dir/old', 'old one', { mode: 0o644 }),
    header({ name: 't/dir/below/', type: '5', mode: 0o755 }),
    entry('t/dir/below/deep', 'deep one', { mode: 0o644 }),
    entry('t/file', 'old file', { mode: 0o640 }),
    link('t/to-file', 'file'),
    link('t/to-dir', 'dir'),
    link('t/absolute', '/t/dir'),
    link('t/outside', '../../../../../../t/dir'),
    link('t/dangling', '/t/later'),
    endOfArchive,
  ]);
}

/** On the host, a folder with the like; its path. */
function hostTree(parent: string): string {
  const host = mkdtempSync(join(parent, 'host-'));
  mkdirSync(join(host, 'dir/below'), { recursive: true });
  for (const [name, text] of Object.entries({
    file: 'new file',
    'dir/new': 'new one',
    'dir/below/deep': 'new deep',
    'a:b': 'with a colon',
    'x y é': 'odd name',
  }))
    writeFileSync(join(host, name), text);
  for (const [name, target] of Object.entries({ 'to-file': 'file', 'to-dir': 'dir', dangling: 'nowhere' }))
    symlinkSync(target, join(host, name));
  writeFileSync(join(host, 'owned'), 'of others');
  chownSync(join(host, 'owned'), 1234, 4321);
  return host;
}

/** "file TEXT", "link TARGET", "folder NAME NAME/…" or "absent". */
async function inside(docker: Docker, container: string, path: string): Promise<string> {
  const { code, stdout } = await docker(['cp', `${container}:${path}`, '-']);
  return code === 0 ? listed(stdout) : 'absent';
}

async function ownerOf(docker: Docker, container: string, path: string): Promise<string> {
  const { stdout } = await docker(['cp', `${container}:${path}`, '-']);
  const line = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: stdout, encoding: 'utf8' });
  return / (\d+\/\d+) /.exec(line)?.[1] ?? line;
}

/** A tar as text: its bytes are ASCII but for names, which tar escapes anyway. */
function listed(tar: string): string {
  const lines = execFileSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' }).trimEnd().split('\n');
  const [, type = '', name = ''] = /^(.).{9} +\S+ +\d+ \S+ \S+ (.*)$/.exec(lines[0] ?? '') ?? [];
  if (type === '-') return `file ${execFileSync('tar', ['-xOf', '-'], { input: tar, encoding: 'utf8' })}`;
  if (type === 'l') return `link ${name.split(' -> ')[1]}`;
  const below = lines
    .slice(1)
    .map((line) => (/^.{10} +\S+ +\d+ \S+ \S+ (.*)$/.exec(line)?.[1] ?? '').split(' -> ')[0]?.slice(name.length) ?? '');
  return ['folder', ...below.toSorted()].join(' ');
}

function outside(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'absent';
  if (found.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  if (found.isFile()) return `file ${readFileSync(path, 'utf8')}`;
  const below = readdirSync(path, { recursive: true, withFileTypes: true }).map((each) => {
    const name = join(each.parentPath, each.name).slice(path.replace(/\/$/, '').length + 1);
    return each.isDirectory() ? `${name}/` : name;
  });
  return ['folder', ...below.toSorted()].join(' ');
}

/** Whether there is a docker CLI to try it with. */
export function missingForCp(): string | undefined {
  return spawnSync('docker', ['--version']).status === 0 ? undefined : 'needs the docker CLI';
}
