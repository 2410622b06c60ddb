import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkManifest } from '../../../../sdk/manifest.ts';
import { createPlugin, languages } from '../../../../sdk/create/index.ts';

const top = join(import.meta.dirname, '../../../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-create-'));
after(() => rmSync(work, { recursive: true }));

const standalone = [
  { lang: 'go', driver: 'driver.go' },
  { lang: 'python', driver: 'driver.py' },
];
for (const { lang, driver } of standalone) {
  test(`createPlugin() makes each driver in ${lang} of its template and the protos`, () => {
    const kinds = languages[lang]?.kinds ?? [];
    const template = join(top, 'sdk/create', lang);
    const protos = globSync('**/*.proto', { cwd: join(top, 'proto') });
    assert.ok(kinds.length > 1 && protos.length > 5);
    for (const kind of kinds) {
      const name = `my-${kind}-${lang}`;
      const dir = join(work, name);
      createPlugin(dir, { name, kind, lang });
      const made = (path: string) => readFileSync(join(dir, path), 'utf8');
      const inTemplate = (path: string) => readFileSync(join(template, path), 'utf8').replaceAll('gantry-example', `gantry-${name}`);
      const drivers = kinds.map((each) => driver.replace('driver', each));
      const shared = readdirSync(template).filter((path) => !drivers.includes(path));
      for (const path of shared) assert.equal(made(path), inTemplate(path));
      assert.equal(made(driver), inTemplate(driver.replace('driver', kind)));
      for (const path of protos) assert.equal(made(join('proto', path)), readFileSync(join(top, 'proto', path), 'utf8'));
      const { version } = JSON.parse(readFileSync(join(top, 'sdk/package.json'), 'utf8')) as { readonly version: string };
      assert.match(made('proto/README.md'), new RegExp(`@gantry/sdk ${RegExp.escape(version)} has them`));
    }
  });
}

test('createPlugin() makes a manifest that an engine takes and a README that teaches every step, in every language', () => {
  for (const [lang, { kinds }] of Object.entries(languages)) {
    for (const kind of kinds) {
      const dir = join(work, `${kind}-${lang}`);
      createPlugin(dir, { name: `the-${kind}`, kind, lang });
      checkManifest(JSON.parse(readFileSync(join(dir, 'gantry-plugin.json'), 'utf8')));
      const readme = readFileSync(join(dir, 'README.md'), 'utf8');
      for (const step of ['npm test', 'npm run conformance', 'gantry plugin dev', 'gantry plugin pack', 'gantry plugin install'])
        assert.ok(readme.includes(step), `${kind} in ${lang}: ${step}`);
      const { scripts } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { readonly scripts: object };
      for (const [, script = ''] of readme.matchAll(/npm run (\w+)/g)) assert.ok(script in scripts, `${kind} in ${lang}: ${script}`);
      for (const [, file = ''] of readme.matchAll(/^\| `([^`]+)` \|/gm)) assert.ok(globSync(join(dir, file)).length > 0, file);
    }
  }
});
