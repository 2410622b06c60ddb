import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Manifest } from '@gantry/sdk';
import { type Outcome, planConformance, runConformance } from '@gantry/sdk/conformance';
import type { Wrong } from '../support/plugins/bad-plugin/wrong.ts';
import type { Raw } from '../support/plugins/fault-plugin/raw-fault.ts';

const work = mkdtempSync(join(tmpdir(), 'bad-'));
after(() => rmSync(work, { recursive: true }));

const manifest: Manifest = {
  manifestVersion: 1,
  name: 'bad',
  version: '1.0.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['bad'] }],
  entry: { node: 'main.ts' },
  placement: ['process', 'worker'],
  settings: { type: 'object', properties: { size: { type: 'integer' }, password: { type: 'string', 'x-secret': true } } },
};

function folder(files: string, extra: object, changes: Partial<Manifest> = {}): string {
  const dir = mkdtempSync(join(mkdtempSync(join(work, 'plugin-')), 'p-'));
  cpSync(join(import.meta.dirname, '../support/plugins', files), dir, { recursive: true });
  mkdirSync(join(dir, 'empty'));
  for (const name of ['wrong.json', 'raw.json']) writeFileSync(join(dir, name), JSON.stringify(extra));
  writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify({ ...manifest, ...changes }));
  return dir;
}

const wrongWith = (wrong: Wrong, changes: Partial<Manifest> = {}): string => folder('bad-plugin', { wrong }, changes);
const rawWith = (raw: Omit<Raw, 'driver'>): string => folder('fault-plugin', { driver: 'bad', ...raw }, { entry: { node: 'raw.ts' } });

const ofNetworks: Partial<Manifest> = { provides: [{ contract: 'network', versions: ['v1'], drivers: ['bad'] }] };

async function outcomes(dir: string, only: readonly string[]): Promise<readonly Outcome[]> {
  return Array.fromAsync(runConformance(planConformance(dir, { only, chaos: true, placements: ['process'] })));
}

/** Each case with a plugin that must not pass it, and what is told then. */
const failing: Readonly<Record<string, { readonly dir: () => string; readonly message: RegExp }>> = {
  'plugin.handshake.ok': { dir: () => rawWith({ handshake: { token: 'guessed' } }), message: /does not know this start's token/ },
  'plugin.handshake.matches-manifest': { dir: () => rawWith({ handshake: { name: 'other' } }), message: /other/ },
  'plugin.handshake.version-none-common': {
    dir: () => rawWith({ handshake: { contracts: [{ contract: 'volume', version: 'v99' }] } }),
    message: /speaks volume v99, the engine v1/,
  },
  'plugin.handshake.extra-contract-refused': {
    dir: () => rawWith({ handshake: { contracts: ['exec', 'volume'].map((contract) => ({ contract, version: 'v1' })) } }),
    message: /offers contract exec, which its manifest does not name/,
  },
  'plugin.ready.no-output-before-line': { dir: () => rawWith({ line: { version: '9' } }), message: /9/ },
  'plugin.health.serving': { dir: () => wrongWith('blocks'), message: /timeout/ },
  'plugin.configure.live-change': { dir: () => wrongWith('takes-no-change'), message: /size: stays as it is/ },
  'plugin.configure.secret-not-logged': { dir: () => wrongWith('logs-secrets'), message: /never-to-be-printed/ },
  'plugin.reconcile.10k-refs-streamed': { dir: () => wrongWith('compares-some'), message: /nobody/ },
  'plugin.stop.stdin-eof-exits': { dir: () => wrongWith('never-ends'), message: /standard input ended/ },
  'plugin.restart.kill9-during-each-method': { dir: () => wrongWith('half-made'), message: /there already/ },
  'plugin.upgrade.parallel-two-generations': { dir: () => wrongWith('keeps-in-memory'), message: /the next generation has not/ },
  'plugin.upgrade.state-rollback': { dir: () => wrongWith('minds-old-state'), message: /older than the data/ },
  'plugin.logs.rate': { dir: () => wrongWith('prints'), message: /50 rounds printed \d{4} lines/ },
  'plugin.resources.under-limits': {
    dir: () => folder('bad-plugin', {}, { resources: { memory: '16MiB' } }),
    message: /it uses \d+ bytes, and may use 16777216/,
  },
  'plugin.sandbox.no-undeclared-net': { dir: () => wrongWith('listens'), message: /uses the network without/ },
  'plugin.sandbox.no-undeclared-path': { dir: () => wrongWith('opens-outside'), message: /files open that its privileges/ },
  'plugin.sandbox.no-undeclared-syscall': {
    dir: () => wrongWith('makes-namespaces'),
    message: /refuses a plugin with its capabilities[^]*unshare \(CAP_SYS_ADMIN\)/,
  },
  'plugin.deadline.respected': { dir: () => wrongWith('ignores-cancel'), message: /8 calls went on after they were cancelled/ },
  'plugin.cancel.observed-within-1s': { dir: () => wrongWith('ignores-cancel'), message: /8 calls went on after they were cancelled/ },
  'plugin.hostapi.cas-conflict': { dir: () => wrongWith('believes-itself'), message: /is not there after a restart/ },
  'plugin.placement.same-answers': { dir: () => wrongWith('tells-where'), message: /in placement worker it answers something else/ },
  'network.plan.ungranted-links': {
    dir: () => wrongWith('joins-others', ofNetworks),
    message: /without "privileges": \{ "network": "host" \}[^]*docker0/,
  },
  'chaos.answer-lost': { dir: () => wrongWith('refuses-again'), message: /there already/ },
  'chaos.frame-truncated': { dir: () => wrongWith('refuses-again'), message: /there already/ },
  'chaos.called-twice': { dir: () => wrongWith('counts-uses'), message: /describes something else/ },
  'chaos.cut-mid-call': { dir: () => wrongWith('half-made'), message: /there already/ },
  'chaos.answers-reordered': { dir: () => wrongWith('mixes-answers'), message: /is another's/ },
  'chaos.storm': { dir: () => wrongWith('refuses-again'), message: /seed \d+: / },
};

for (const [id, { dir, message }] of Object.entries(failing)) {
  test(`conformance fails ${id} for a plugin that does it wrong, and says what`, async () => {
    const [outcome] = await outcomes(dir(), [id]);
    assert.equal(outcome?.status, 'failed');
    assert.match(outcome.error?.message ?? '', message);
  });
}

test('a secret that is printed is found as well', async () => {
  const [outcome] = await outcomes(wrongWith('prints-secrets'), ['plugin.configure.secret-not-logged']);
  assert.match(outcome?.error?.message ?? '', /never-to-be-printed/);
});

test('the same plugin with nothing wrong passes all of these cases', async () => {
  const [networks, others] = [ids(true), ids(false)];
  const all = [...(await outcomes(folder('bad-plugin', {}), others)), ...(await outcomes(folder('bad-plugin', {}, ofNetworks), networks))];
  assert.equal(all.length, Object.keys(failing).length);
  assert.deepEqual(
    all.filter(({ status }) => status !== 'passed').map(({ id, reason, error }) => `${id}: ${reason ?? error?.message}`),
    [],
  );
});

function ids(ofNetworksOnly: boolean): readonly string[] {
  return Object.keys(failing).filter((id) => id.startsWith('network.') === ofNetworksOnly);
}
