import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue, findCommand, loadVerb } from '../../../core/cli/catalogue.ts';
import { toCommand } from '../../../core/cli/verb.ts';

const program = join(import.meta.dirname, '../../../core/bin/gantry.mjs');

test('catalogue: every command loads, has help, and declares no flag twice', async () => {
  for (const { names } of catalogue) {
    for (const name of names) {
      const help = toCommand(await loadVerb(name), name).helpText();
      assert.match(help, new RegExp(`^Usage: gantry ${name}\\b`));
    }
  }
});

test('catalogue: every example in the help is a command that its own flags and arguments allow', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-examples-'));
  writeFileSync(join(folder, 'secret'), 'secret', { mode: 0o600 });
  const seen = new Set<string>();
  for (const { names } of catalogue) {
    const [name = ''] = names;
    for (const words of examplesIn((await loadVerb(name)).notes ?? '')) {
      const found = findCommand(words) ?? assert.fail(`help of ${name}: gantry ${words.join(' ')} is no command`);
      const command = toCommand(await loadVerb(found.name), found.name).action(() => {});
      const given = found.words.map((word) => word.replace('/root/nfs-token', join(folder, 'secret')));
      assert.doesNotThrow(() => command.read(given), `help of ${name}: gantry ${words.join(' ')}`);
      seen.add(found.name);
    }
  }
  rmSync(folder, { recursive: true });
  const plugins = catalogue.map(({ names: [name = ''] }) => name).filter((name) => name.startsWith('plugin '));
  assert.deepEqual(
    plugins.filter((name) => !seen.has(name)),
    [],
  );
});

/** Lines of a help's notes that begin with two spaces and call gantry, as the words that a shell would make of them. */
function examplesIn(notes: string): readonly (readonly string[])[] {
  const lines = notes.split('\n').filter((line) => line.startsWith('  '));
  const commands = lines.flatMap((line) =>
    line
      .replace(/ {2,}#.*$/, '')
      .split(/\s(?:&&|\|)\s/)
      .map((each) => each.trim()),
  );
  return commands
    .filter((command) => command.startsWith('gantry '))
    .map((command) => [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain).slice(1));
}

test('catalogue: no name is given to two commands', () => {
  const names = catalogue.flatMap((entry) => entry.names);
  assert.deepEqual(names.length, new Set(names).size);
});

test('findCommand() prefers two words, and leaves the rest', () => {
  assert.deepEqual(findCommand(['container', 'ls', '-a']), { name: 'container ls', words: ['-a'] });
  assert.deepEqual(findCommand(['run', 'container', 'ls']), { name: 'run', words: ['container', 'ls'] });
  assert.equal(findCommand(['container']), undefined);
});

test('gantry completion writes scripts that the shell itself accepts', () => {
  for (const shell of ['bash', 'zsh']) {
    const script = execFileSync(process.execPath, [program, 'completion', shell], { encoding: 'utf8' });
    execFileSync('bash', ['-n'], { input: script });
    assert.match(script, /--detach-keys/);
  }
  assert.match(execFileSync(process.execPath, [program, 'completion', 'fish'], { encoding: 'utf8' }), /complete -c gantry .*-a 'run'/);
});

test('gantry completion bash completes commands, subcommands and flags', () => {
  const complete = (...words: readonly string[]) =>
    execFileSync(
      'bash',
      [
        '-c',
        `source <("$0" "$1" completion bash); COMP_WORDS=(gantry ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _gantry; echo "\${COMPREPLY[@]}"`,
        process.execPath,
        program,
      ],
      { encoding: 'utf8' },
    ).trim();
  assert.deepEqual(
    [
      complete('volu'),
      complete('volume', 'ins'),
      complete('run', '--detach-k'),
      complete('volume', 'create', '--dri'),
      complete('plugin', 'upg'),
      complete('plugin', 'install', '--grant'),
    ],
    ['volume', 'inspect', '--detach-keys', '--driver', 'upgrade', '--grant-all-permissions'],
  );
});
