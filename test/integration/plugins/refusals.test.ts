import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { InstallRequest } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'refusals-'));
let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.engine.plugins.install({ source: make({ name: 'taken' }), grant: 'all', enable: false });
});
after(async () => {
  await under[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let count = 0;
/** A folder with a volume plugin; `manifest` changes what its manifest says. */
function make(manifest: object, main = 'export default { activate: async () => ({ drivers: {} }) };'): string {
  const path = join(folder, `p${(count += 1)}`);
  mkdirSync(path);
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['some'] }];
  writeFileSync(
    join(path, 'gantry-plugin.json'),
    JSON.stringify({ manifestVersion: 1, name: 'some', version: '1.0.0', provides, entry: { node: 'main.mjs' }, ...manifest }),
  );
  writeFileSync(join(path, 'main.mjs'), main);
  return path;
}
const settings = { type: 'object', additionalProperties: false, properties: { size: { type: 'integer', minimum: 1 } }, required: ['size'] };
const network = [{ name: 'network', description: '', value: ['host'] }];

const refused: readonly (readonly [what: string, source: () => string, request: Partial<InstallRequest>, code: string, message: RegExp])[] =
  [
    ['a source that is not there', () => '/nowhere/at/all', {}, 'not_found', /\/nowhere\/at\/all/],
    ['a source that is none', () => 'oci:Not A Reference', {}, 'invalid_argument', /Not A Reference|invalid reference/],
    ['a manifest with a field too many', () => make({ privilegs: {} }), {}, 'invalid_argument', /privilegs/],
    ['a manifest of another kind', () => make({ manifestVersion: 2 }), {}, 'invalid_argument', /manifestVersion must be one of 1/],
    ['a version for another engine', () => make({ engines: { gantry: '>=99' } }), {}, 'conflict', /is for engine versions >=99/],
    ['less granted than asked for', () => make({ privileges: { network: 'host' } }), { grant: [] }, 'invalid_argument', /privileges/],
    ['more granted than asked for', () => make({}), { grant: network }, 'invalid_argument', /privileges/],
    ['a name that is taken', () => make({ name: 'taken' }), {}, 'already_exists', /plugin taken is installed already/],
    ['an alias that is taken', () => make({}), { alias: 'taken' }, 'already_exists', /plugin taken is installed already/],
    [
      'a setting of the wrong type',
      () => make({ settings }),
      { settings: { size: 'big' } },
      'invalid_argument',
      /setting size of plugin some must be integer/,
    ],
    ['a setting that is missing', () => make({ settings }), {}, 'invalid_argument', /size/],
    [
      'a setting that is none',
      () => make({ settings }),
      { settings: { size: 1, colour: 'red' } },
      'invalid_argument',
      /no setting "colour"/,
    ],
    [
      'a place that the manifest does not allow',
      () => make({ placement: ['process'] }),
      { placement: 'worker' },
      'forbidden',
      /does not run in placement worker/,
    ],
    [
      'a manifest that wants into the engine’s process',
      () => make({ placement: ['worker', 'in-process'] }),
      {},
      'forbidden',
      /does not run in placement process/,
    ],
    [
      'a module that is none',
      () => make({}, 'export const a = 1;'),
      { enable: true },
      'unavailable',
      /does not default-export definePlugin/,
    ],
    ['a module that throws', () => make({}, 'throw new Error("at once");'), { enable: true }, 'unavailable', /at once/],
    ['fewer drivers than promised', () => make({}), { enable: true }, 'conflict', /does not offer volume\/some, which its manifest names/],
  ];

for (const [what, source, request, code, message] of refused) {
  test(`installing a plugin is refused for ${what}, and nothing is left`, async () => {
    const { plugins } = under.engine;
    const known = () => plugins.list().map(({ name }) => name);
    const codeFolders = () => readdirSync(join(under.folder, 'data/plugin-code'));
    const atFirst = { known: known(), code: codeFolders() };
    await assert.rejects(
      plugins.install({ source: source(), grant: 'all', enable: false, ...request }),
      (error: Error & { readonly code?: string }) => {
        assert.match(error.message, message);
        assert.equal(error.code, code);
        return true;
      },
    );
    // What was installed and does not start stays, as the user wished, to be looked at; without it, nothing.
    if (request.enable === true) await plugins.remove('some');
    assert.deepEqual({ known: known(), code: codeFolders() }, atFirst);
  });
}
