import { randomBytes, timingSafeEqual } from 'node:crypto';
import { conflict, forbidden } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Ctx } from '../types/index.ts';
import type { PluginService } from './generated-plugin.ts';
import { proofOf } from './proof.ts';

const contractVersions = ['v1'];
const contracts = ['graph', 'volume', 'log', 'network', 'ipam', 'exec', 'authz'];

export interface HandshakeFacts {
  readonly manifest: Manifest;
  readonly token: string;
  /** "<plugin id>.<generation>" */
  readonly instance: string;
  readonly engineVersion: string;
  readonly ctx: Ctx;
}

/** Agrees on versions and lets the plugin prove that it is the one that was started, with the manifest that the user saw. */
export async function handshake(service: PluginService, { manifest, token, instance, engineVersion, ctx }: HandshakeFacts): Promise<void> {
  const challenge = randomBytes(32);
  const answer = await service.handshake(
    { engineVersion, bootstrap: 1, offers: contracts.map((contract) => ({ contract, versions: contractVersions })), instance, challenge },
    ctx,
  );
  const expected = proofOf(token, challenge);
  if (answer.proof.length !== expected.length || !timingSafeEqual(answer.proof, expected)) {
    throw forbidden(`plugin ${manifest.name}: whoever answers does not know this start's token`, {
      reason: 'WRONG_PROOF',
      hint: 'another process listens at its socket, or the plugin computes HMAC-SHA256(token, challenge) wrongly',
    });
  }
  for (const [what, said, wanted] of [
    ['name', answer.name, manifest.name],
    ['version', answer.version, manifest.version],
  ] as const) {
    if (said !== wanted)
      throw forbidden(
        `plugin ${manifest.name} says that its ${what} is ${JSON.stringify(said)}, its manifest says ${JSON.stringify(wanted)}`,
        { reason: 'MANIFEST_MISMATCH' },
      );
  }
  const granted = new Set<string>(manifest.provides.map(({ contract }) => contract));
  for (const { contract, version } of answer.contracts) {
    if (!granted.has(contract))
      throw forbidden(`plugin ${manifest.name} offers contract ${contract}, which its manifest does not name`, {
        reason: 'MANIFEST_MISMATCH',
      });
    if (!contractVersions.includes(version)) {
      throw conflict(`plugin ${manifest.name} speaks ${contract} ${version}, the engine ${contractVersions.join(', ')}`, {
        reason: 'NO_COMMON_VERSION',
      });
    }
  }
}
