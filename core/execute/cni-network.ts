import type { Cni } from '@gantry/sdk/network';
import { canCollect, canTellStatus, parseCniList } from './cni-config.ts';
import { askEach, askProgram, type CniOwner } from './cni-program.ts';

/** A network of CNI programs. */
export interface CniNetwork extends CniOwner {
  readonly cni: Cni;
}
/** One endpoint of a network, as programs know it. */
export interface CniAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

/**
 * Tells each program which endpoints there are, so that it gives up what it has of any other: GC of CNI 1.1. Each one although another failed; the first failure is thrown. Lists of
 * older versions, and those that forbid it, are left alone. Nobody may be added meanwhile who is not among these.
 */
export async function cniCollect({ cni, ...owner }: CniNetwork, attachments: readonly CniAttachment[]): Promise<void> {
  const list = parseCniList(cni.config);
  if (!canCollect(list)) return;
  const valid = attachments.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  // The specification's word, and the one that libcni's first releases with GC had for it.
  const input = { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
  await askEach(list.plugins.map((program) => ({ ...owner, command: 'GC', list, program, input })));
}

/** Throws what the first program says that is not ready to add anybody: STATUS of CNI 1.1. Lists of older versions tell nothing. */
export async function cniStatus({ cni, ...owner }: CniNetwork): Promise<void> {
  const list = parseCniList(cni.config);
  if (!canTellStatus(list)) return;
  for (const program of list.plugins) await askProgram({ ...owner, command: 'STATUS', list, program });
}
