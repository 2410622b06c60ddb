import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { codeOf } from '../errors.ts';
import type { HandshakeRequest, PluginService } from '../rpc/index.ts';
import type { OpenedPlugin, PluginWire } from './opened-plugin.ts';
import { casesOf, type PluginCase, type PluginUnderTest, type Runs } from './plugin-case.ts';

interface Wired extends PluginUnderTest {
  readonly wire: PluginWire;
}

const shaking: Runs<Wired> = {
  'handshake.ok': async (subject) => {
    for (const challenge of [randomBytes(32), randomBytes(32), Buffer.alloc(1)]) {
      const proof = createHmac('sha256', subject.wire.token).update(challenge).digest();
      assert.deepEqual(Buffer.from((await shake(subject, { challenge })).proof), proof, 'proof is not HMAC-SHA256(token, challenge)');
    }
  },
  'handshake.wrong-token-refused': async (subject) => {
    const challenge = randomBytes(32);
    const { proof } = await shake(subject, { challenge });
    for (const guess of ['', 'guessed', Buffer.from(subject.wire.token, 'base64')])
      assert.notDeepEqual(Buffer.from(proof), createHmac('sha256', guess).update(challenge).digest(), 'another token proves it as well');
  },
  'handshake.matches-manifest': async (subject) => {
    const { manifest } = subject.plugin;
    const { name, version, stateVersion, contracts } = await shake(subject);
    assert.deepEqual([name, version], [manifest.name, manifest.version]);
    assert.ok([manifest.state?.version ?? 1, manifest.state?.version ?? 0].includes(stateVersion), `state version ${stateVersion}`);
    assert.deepEqual(contracts.map(({ contract }) => contract).toSorted(), contractsOf(subject.plugin));
  },
  // Who has one version alone may say just that: the engine then refuses it.
  'handshake.version-none-common': async (subject) => {
    const offers = contractsOf(subject.plugin).map((contract) => ({ contract, versions: ['v99'] }));
    const answered = await shake(subject, { offers }).catch((error: unknown) => {
      assert.equal(codeOf(error), 'conflict', 'FAILED_PRECONDITION says that there is no common version');
    });
    for (const { contract, version } of answered?.contracts ?? []) assert.notEqual(version, 'v99', `it has v99 of ${contract}`);
  },
  'handshake.extra-contract-refused': async (subject) => {
    const more = ['graph', 'volume', 'log', 'network', 'ipam', 'exec', 'authz'].map((contract) => ({ contract, versions: ['v1', 'v99'] }));
    const { contracts } = await shake(subject, { offers: more });
    assert.deepEqual(
      contracts.map(({ contract }) => contract).toSorted(),
      contractsOf(subject.plugin),
      'it takes more than its manifest names',
    );
  },
  'health.serving': async ({ wire, probe, ctx }) => {
    const calls = Promise.all(Array.from({ length: 16 }, async (_, index) => probe?.make(`busy${index}`, ctx())));
    calls.catch(() => {});
    for (let round = 0; round < 5; round += 1) await wire.service.ping({}, ctx(AbortSignal.timeout(1_000)));
    await calls;
  },
};

const ready: Runs = {
  'ready.no-output-before-line': async ({ plugin }) => {
    if (plugin.process === undefined) return 'has no process of its own here';
    const said = JSON.parse(plugin.process.greeting.slice('GANTRY-PLUGIN 1 '.length)) as Readonly<Record<string, unknown>>;
    assert.match(String(said['endpoint']), /^unix:\/\/\/.+\.sock$/);
    assert.deepEqual([said['name'], said['version']], [plugin.manifest.name, plugin.manifest.version]);
    return undefined;
  },
};

/** How a plugin introduces itself, and that it answers. */
export const handshakeCases: readonly PluginCase[] = [
  ...casesOf(shaking, (subject) => {
    const { wire } = subject.plugin;
    return wire === undefined ? 'is called without a wire here' : { ...subject, wire };
  }),
  ...casesOf(ready, (subject) => subject),
];

function shake({ wire, plugin, ctx }: Wired, changes: Partial<HandshakeRequest> = {}): ReturnType<PluginService['handshake']> {
  const offers = plugin.manifest.provides.map(({ contract, versions }) => ({ contract, versions }));
  const request = { engineVersion: '0.1.0', bootstrap: 1, offers, instance: 'conformance.1', challenge: randomBytes(32), ...changes };
  return wire.service.handshake(request, ctx(AbortSignal.timeout(5_000)));
}

function contractsOf({ manifest }: OpenedPlugin): readonly string[] {
  return manifest.provides.map(({ contract }) => contract).toSorted();
}
