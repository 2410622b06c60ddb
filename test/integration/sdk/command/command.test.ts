import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const top = join(import.meta.dirname, '../../../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-sdk-'));
after(() => rmSync(work, { recursive: true }));
mkdirSync(join(work, 'node_modules/@gantry'), { recursive: true });
symlinkSync(join(top, 'sdk'), join(work, 'node_modules/@gantry/sdk'));

function gantrySdk(...argv: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [join(top, 'sdk/command/gantry-sdk.mjs'), ...argv], { cwd: work, encoding: 'utf8' });
}

const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['no command', [], 2, /^Usage: gantry-sdk COMMAND/],
  ['an unknown command', ['conform'], 2, /unknown command "conform"[^]*Usage/],
  ['a name of every object', ['constructor'], 2, /unknown command/],
  ['an unknown option', ['conformance', '--fast'], 2, /--fast[^]*Usage: gantry-sdk conformance/],
  ['an option without its value', ['create', 'x', '--kind'], 2, /--kind[^]*Usage: gantry-sdk create/],
  ['no folder', ['create', '--kind', 'volume'], 1, /say which folder/],
  ['an unknown kind', ['create', 'x', '--kind', 'disk'], 1, /"disk": must be one of volume/],
  ['a kind of another language', ['create', 'x', '--kind', 'graph', '--lang', 'sh'], 1, /no template of a graph driver in sh/],
  [
    'a kind that Go has no template of',
    ['create', 'x', '--kind', 'exec', '--lang', 'go'],
    1,
    /of an exec driver in Go\n[^\n]*one of volume, graph, network, ipam, log;[^\n]*--lang ts or js/,
  ],
  [
    'a language that is a name of every object',
    ['create', 'x', '--kind', 'log', '--lang', 'constructor'],
    1,
    /"constructor": must be one of ts/,
  ],
  ['two folders', ['create', 'x', 'y', '--kind', 'log'], 1, /y is too much/],
  ['a name that no manifest may have', ['create', 'x.', '--kind', 'log'], 1, /name "x\."/],
  ['two plugins', ['conformance', '.', 'y'], 1, /y is too much/],
  ['an unknown language', ['create', 'x', '--kind', 'volume', '--lang', 'cobol'], 1, /"cobol": must be one of ts/],
  ['a name that is none', ['create', 'A B', '--kind', 'volume'], 1, /"A B"/],
  ['a folder that is in use', ['create', 'node_modules', '--kind', 'volume'], 1, /not empty/],
  ['a folder without a manifest', ['conformance', 'nowhere'], 1, /has no gantry-plugin\.json/],
  ['an unknown placement', ['conformance', '--placement', 'moon'], 1, /"moon"/],
  ['an unknown report', ['conformance', '--report', 'pdf'], 1, /"pdf": must be one of line, json, junit, md/],
  ['packing for nobody', ['pack', '.'], 1, /say for whom[^]*--docker/],
  ['packing what is no plugin', ['pack', 'node_modules', '--docker'], 1, /has no gantry-plugin\.json/],
  [
    'packing what Docker lacks',
    ['pack', join(top, 'test/examples/overlay-mini'), '--docker'],
    1,
    /has a graph driver[^]*it has volume, network/,
  ],
  ['a base that is not there', ['pack', join(top, 'test/examples/nfs'), '--docker', '--base', 'nowhere'], 1, /base nowhere is not there/],
  ['serving by no protocol', ['serve', '.'], 1, /say by which protocol/],
  ['a setting without a value', ['serve', join(top, 'test/examples/nfs'), '--as', 'docker', '--set', 'x'], 1, /"x" is not NAME=VALUE/],
  ['a folder without a module', ['manifest', 'node_modules'], 1, /has none of main\.js/],
];
for (const [what, argv, status, message] of refused) {
  test(`gantry-sdk refuses ${what} and says what would do`, () => {
    const { status: code, stdout, stderr } = gantrySdk(...argv);
    assert.match(stdout + stderr, message);
    assert.equal(code, status);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
}

for (const command of ['create', 'conformance', 'manifest', 'pack', 'serve']) {
  test(`gantry-sdk ${command} --help has an example`, () => {
    const { status, stdout } = gantrySdk(command, '--help');
    assert.match(stdout, new RegExp(`^Usage: gantry-sdk ${command} [^]*\\n  gantry-sdk ${command} `));
    assert.equal(status, 0);
  });
}

test('gantry-sdk conformance tells every case, and fails when one does', () => {
  const dir = join(work, 'broken');
  cpSync(join(top, 'test/examples/nfs'), dir, { recursive: true });
  const code = readFileSync(join(dir, 'main.ts'), 'utf8');
  writeFileSync(join(dir, 'main.ts'), code.replace("'soft'", '`soft=<&"${Math.random()}`'));
  const only = ['--only', 'volume.attach.*'];
  const lines = gantrySdk('conformance', 'broken', ...only);
  assert.equal(lines.status, 1);
  assert.match(lines.stdout, /^ok {6}volume\/nfs {2}volume\.attach\.missing$/m);
  assert.match(lines.stdout, /^FAILED {2}volume\/nfs {2}volume\.attach\.repeat-same\n {8}\S/m);
  assert.match(lines.stdout, /^\d+ passed, 1 failed, \d+ skipped$/m);
  const told = JSON.parse(gantrySdk('conformance', 'broken', ...only, '--report', 'json').stdout) as { readonly failed: number };
  assert.equal(told.failed, 1);
  const xml = gantrySdk('conformance', 'broken', ...only, '--report', 'junit').stdout;
  assert.match(xml, /<testsuite name="volume\/nfs \(in-process\)" tests="\d+" failures="1"/);
  assert.doesNotMatch(xml.replaceAll(/&(amp|lt|gt|quot);/g, ''), /&|<[^/?a-z]/);
  assert.match(
    gantrySdk('conformance', 'broken', ...only, '--report', 'md').stdout,
    /^\| failed \| volume\/nfs \| volume\.attach\.repeat-same \|/m,
  );
});

test('gantry-sdk conformance --list runs nothing of the plugin', () => {
  const dir = join(work, 'listed');
  cpSync(join(top, 'test/examples/nfs'), dir, { recursive: true });
  writeFileSync(join(dir, 'main.ts'), `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(join(dir, 'ran'))}, '');`);
  assert.match(gantrySdk('conformance', 'listed', '--list').stdout, /^volume\/nfs volume\.create\.ok$/m);
  assert.equal(existsSync(join(dir, 'ran')), false);
});

test('gantry-sdk pack makes a folder or a tar, and serve listens until it is told to end', async () => {
  const folder = gantrySdk('pack', join(top, 'test/examples/folders'), '--docker', '-o', 'for-docker');
  assert.deepEqual([folder.stdout, folder.status], ['made for-docker\n', 0], folder.stderr);
  assert.deepEqual(
    [existsSync(join(work, 'for-docker/config.json')), existsSync(join(work, 'for-docker/rootfs/plugin/main.ts'))],
    [true, true],
  );
  const again = gantrySdk('pack', join(top, 'test/examples/folders'), '--docker', '-o', 'for-docker');
  assert.match(again.stderr, /for-docker is there already/);
  const socket = join(work, 's.sock');
  const argv = ['serve', join(top, 'test/examples/folders'), '--as', 'docker', '--socket', socket, '--root', join(work, 'served')];
  const child = spawn(process.execPath, [join(top, 'sdk/command/gantry-sdk.mjs'), ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  assert.equal(String(line), `folders 0.1.0 listens at ${socket}\n`);
  child.kill('SIGTERM');
  assert.deepEqual([await once(child, 'exit'), existsSync(socket)], [[0, null], false]);
});
