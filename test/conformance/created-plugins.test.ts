import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { languages, pluginKinds } from '../../sdk/create/index.ts';

const top = join(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-create-'));
after(() => rmSync(work, { recursive: true }));
mkdirSync(join(work, 'node_modules/@gantry'), { recursive: true });
symlinkSync(join(top, 'sdk'), join(work, 'node_modules/@gantry/sdk'));

function gantrySdk(...argv: readonly string[]): { readonly status: number | null } {
  return spawnSync(process.execPath, [join(top, 'sdk/command/gantry-sdk.mjs'), ...argv], { cwd: work, encoding: 'utf8' });
}

for (const [lang, { kinds, test: file }] of Object.entries(languages)) {
  for (const kind of pluginKinds.filter((one) => kinds.includes(one))) {
    test(`gantry-sdk create makes a ${kind} driver in ${lang} that passes its tests`, () => {
      const name = `new-${kind}-${lang}`;
      assert.equal(gantrySdk('create', name, '--kind', kind, '--lang', lang).status, 0);
      const ran = spawnSync(process.execPath, ['--test', file], {
        cwd: join(work, name),
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
      });
      assert.equal(ran.status, 0, ran.stdout);
      assert.doesNotMatch(ran.stdout, /^ℹ pass 0$/m);
      const before = readFileSync(join(work, name, 'gantry-plugin.json'), 'utf8');
      assert.equal(gantrySdk('manifest', name).status, 0);
      assert.deepEqual(JSON.parse(readFileSync(join(work, name, 'gantry-plugin.json'), 'utf8')), JSON.parse(before));
    });
  }
}
