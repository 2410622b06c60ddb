import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { languages, pluginKinds } from '../../sdk/create/index.ts';
import { builtLanguages } from '../support/plugins/language-plugins.ts';

const top = join(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-create-'));
after(() => rmSync(work, { recursive: true }));
const bin = join(work, 'node_modules/.bin');
mkdirSync(join(work, 'node_modules/@gantry'), { recursive: true });
mkdirSync(bin);
symlinkSync(join(top, 'sdk'), join(work, 'node_modules/@gantry/sdk'));
symlinkSync(join(top, 'sdk/command/gantry-sdk.mjs'), join(bin, 'gantry-sdk'));

function gantrySdk(...argv: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [join(top, 'sdk/command/gantry-sdk.mjs'), ...argv], { cwd: work, encoding: 'utf8' });
}

/** As `npm test` and `npm run NAME` do it. */
function runScript(dir: string, name: string): { readonly status: number | null; readonly stdout: string } {
  const { scripts } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> };
  const PATH = [bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
  return spawnSync('sh', ['-c', scripts[name] ?? assert.fail(name)], { cwd: dir, encoding: 'utf8', env: { PATH } });
}

// Those that have to be built are proven, built once, in created-go.test.ts and created-python.test.ts.
const ofNode = Object.entries(languages).filter(([lang]) => !builtLanguages.some((built) => built === lang));
for (const [lang, { kinds }] of ofNode) {
  for (const kind of pluginKinds.filter((one) => kinds.includes(one))) {
    test(`gantry-sdk create makes a ${kind} driver in ${lang} that passes its tests`, () => {
      const dir = join(work, `new-${kind}-${lang}`);
      const made = gantrySdk('create', dir, '--kind', kind, '--lang', lang);
      assert.equal(made.status, 0, made.stderr);
      const ran = runScript(dir, 'test');
      assert.equal(ran.status, 0, ran.stdout);
      assert.doesNotMatch(ran.stdout, /^ℹ pass 0$/m);
      const before = readFileSync(join(dir, 'gantry-plugin.json'), 'utf8');
      assert.equal(runScript(dir, 'manifest').status, 0);
      assert.deepEqual(JSON.parse(readFileSync(join(dir, 'gantry-plugin.json'), 'utf8')), JSON.parse(before));
    });
  }
}
