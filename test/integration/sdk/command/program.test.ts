import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const top = join(import.meta.dirname, '../../../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-sdk-'));
after(() => rmSync(work, { recursive: true }));
mkdirSync(join(work, 'node_modules/@gantry'), { recursive: true });
symlinkSync(join(top, 'sdk'), join(work, 'node_modules/@gantry/sdk'));

function conformance(...argv: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [join(top, 'sdk/command/gantry-sdk.mjs'), 'conformance', ...argv], { cwd: work, encoding: 'utf8' });
}

/** A plugin that brings a program of its own: with what it says of itself, and what its manifest says. */
function programPlugin(name: string, exec: readonly string[], said: { readonly version: string } = { version: '0.1.0' }): void {
  const dir = join(work, name);
  mkdirSync(dir);
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['program'] }];
  const manifest = { manifestVersion: 1, name: 'program', version: '0.1.0', provides, entry: { exec } };
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify(manifest));
  const code = `import { bind, volume } from '@gantry/sdk/author';
import { serve } from '@gantry/sdk/serve';
await serve(volume({ name: 'program', attach: (v) => [bind(v.name)] }), ${JSON.stringify({ ...manifest, ...said })});`;
  writeFileSync(join(dir, 'main.mjs'), code);
}
programPlugin('program', [process.execPath, 'main.mjs']);
programPlugin('liar', [process.execPath, 'main.mjs'], { version: '6.6.6' });
programPlugin('mute', ['/bin/sh', '-c', 'echo hello']);
programPlugin('unbuilt', ['./driver']);

test('gantry-sdk conformance runs a program of its own in a process without being told, as an engine would take it', () => {
  const only = ['--only', 'plugin.ready.within-timeout', '--only', 'plugin.stop.*'];
  const { status, stdout, stderr } = conformance('program', ...only, '--report', 'json');
  assert.equal(status, 0, stdout + stderr);
  const { cases } = JSON.parse(stdout) as {
    readonly cases: readonly { readonly id: string; readonly placement: string; readonly status: string }[];
  };
  assert.deepEqual(
    cases.map(({ id, placement, status: ended }) => [id, placement, ended]),
    ['plugin.ready.within-timeout', 'plugin.stop.stdin-eof-exits', 'plugin.stop.sigterm-exits'].map((id) => [id, 'process', 'passed']),
  );
  const liar = conformance('liar', '--only', 'plugin.ready.*');
  assert.match(liar.stdout, /program says that its version is "6\.6\.6", its manifest says "0\.1\.0"/);
  assert.equal(liar.status, 1);
  const mute = conformance('mute', '--only', 'plugin.ready.*');
  assert.match(mute.stdout, /did not start: its first line on stdout is "hello", not "GANTRY-PLUGIN 1/);
});

test('gantry-sdk conformance refuses a program of its own where it cannot run, and one that is not there', () => {
  const worker = conformance('program', '--placement', 'process,worker');
  assert.match(worker.stderr, /program cannot run in placement worker: [^]*process/);
  const unbuilt = conformance('unbuilt');
  assert.match(unbuilt.stderr, /entry\.exec is "\.\/driver", and .*unbuilt\/driver is not there/);
  assert.deepEqual([worker.status, worker.stdout, unbuilt.status, unbuilt.stdout], [1, '', 1, '']);
});
