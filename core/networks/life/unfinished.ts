import { codeOf } from '@gantry/sdk';
import type { CreateNetwork } from '@gantry/sdk/engine';
import type { KeyedMutex } from '../../support/index.ts';
import { attempts } from '../attempts.ts';
import { unmakeNetwork } from './create-network.ts';
import { removeNetwork } from './remove-network.ts';
import type { Tools } from '../tools.ts';

/**
 * Ends what an earlier process began and died at: a network that was being made is taken back, with its pools, and one that was being removed is removed. What fails is logged
 * and tried again at the next start. Never rejects. `names`: held while a network is removed.
 */
export async function finishNetworks(tools: Tools, names: KeyedMutex): Promise<void> {
  const attempt = attempts(tools.log, {}, 'ending what was begun before the engine was started');
  for (const { kind, id, document } of tools.books.intents) {
    if (kind === 'network.create') await attempt('take back a network', () => takeBack(tools, id, document as CreateNetwork));
    else if (kind === 'network.remove') await attempt('remove a network', () => remove(tools, id, names));
  }
}

async function takeBack(tools: Tools, id: string, request: CreateNetwork): Promise<void> {
  try {
    await unmakeNetwork(tools, id, request);
  } catch (error) {
    // What is refused, as a subnet that another network has by now, was not made.
    if (!['invalid_argument', 'forbidden', 'exhausted', 'already_exists'].includes(codeOf(error))) throw error;
  }
  tools.books.forgetIntent(id);
}

async function remove(tools: Tools, id: string, names: KeyedMutex): Promise<void> {
  using _held = await names.acquire(tools.books.byId(id)?.name ?? id);
  const network = tools.books.byId(id);
  if (network === undefined) tools.books.forgetIntent(id);
  else await removeNetwork(tools, network);
}
