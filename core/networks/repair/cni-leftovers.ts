import { messageOf } from '@gantry/sdk';
import type { Cni } from '@gantry/sdk/network';
import { cniListName, type CniNetwork } from '../../execute/index.ts';
import { attempts } from '../attempts.ts';
import type { NetworkRecord } from '../documents.ts';
import type { Tools } from '../tools.ts';

/** After a start of the engine, for every network of CNI plugins: what crashes and failures left is given up, and who is not ready says so in the log. Never rejects. */
export async function collectAll(tools: Tools): Promise<void> {
  const { books, log } = tools;
  for (const network of books.networks) {
    if (cniOf(tools, network) === undefined) continue;
    await collect(tools, network);
    const reason = await whyNotReady(tools, network);
    if (reason !== undefined) log.warn({ network: network.name, reason }, 'a network takes no containers now');
  }
}

/**
 * Has a network's plugins give up what they have of endpoints that the books do not know: first by DEL, of what is known by name, then by GC, where they can. What fails is
 * logged and stays for the next time. Never rejects.
 */
export async function collect(tools: Tools, network: NetworkRecord): Promise<void> {
  const { books, collecting, executor, log } = tools;
  const cni = cniOf(tools, network);
  if (cni === undefined) return;
  const name = cniListName(cni.cni);
  await collecting.get(name);
  if (collecting.has(name)) return;
  const work = async (): Promise<void> => {
    await delLeft(tools, network);
    const attempt = attempts(log, { network: network.name }, 'taking back what nobody has');
    await attempt('have its CNI plugins collect', () => {
      // Recorded before they are added: whoever is being added is among them.
      const made = books.endpoints.filter(
        ({ document: { cni: is, plan } }) => is !== undefined && plan?.cni && cniListName(plan.cni) === name,
      );
      return executor.collectCni(
        cni,
        made.map(({ containerId, document }) => ({ containerId, ifname: document.ifname })),
      );
    });
  };
  const done = work().finally(() => collecting.delete(name));
  collecting.set(name, done);
  await done;
}

/**
 * Asks by DEL again for what plugins did not take back: of one container, whose next ADD must find nothing of the last, or of all that are not on the network again by now.
 * What fails is logged and stays.
 */
async function delLeft(tools: Tools, { id, name }: NetworkRecord, containerId?: string): Promise<void> {
  const { books, executor, log } = tools;
  for (const { endpointId, networkId, work } of books.leftBehind) {
    if (networkId !== id || (containerId !== undefined && work.containerId !== containerId)) continue;
    const attempt = attempts(log, { network: name, container: work.containerId }, 'taking back what a container left');
    await attempt('have its CNI plugins delete it', async () => {
      // It was added again under the same name: that is not to be taken away.
      const isBack = books.endpoint(work.containerId, id)?.document.ifname === work.ifname;
      if (!isBack) await executor.delCni(work);
      books.forgetIntent(endpointId);
    });
  }
}

/** Before a container is added: nothing may be collected meanwhile, and nothing of its last time be there. */
export async function mayAdd(
  tools: Tools,
  network: NetworkRecord,
  { containerId, cni }: { readonly containerId: string; readonly cni: Cni },
): Promise<void> {
  await delLeft(tools, network, containerId);
  const name = cniListName(cni);
  while (tools.collecting.has(name)) await tools.collecting.get(name);
}

/** What a network's CNI plugins say when they are not ready; undefined when they are, or do not tell. */
export async function whyNotReady(tools: Tools, network: NetworkRecord): Promise<string | undefined> {
  const cni = cniOf(tools, network);
  if (cni === undefined) return undefined;
  try {
    await tools.executor.statusOfCni(cni);
    return undefined;
  } catch (error) {
    return `network ${network.name}: ${messageOf(error)}`;
  }
}

function cniOf({ drivers }: Tools, { document }: NetworkRecord): CniNetwork | undefined {
  if (document.configOnly === true || document.plan.cni === undefined || !drivers.has('network', document.driver)) return undefined;
  const { plugin, cni: folders = [] } = drivers.grants('network', document.driver);
  return { plugin, folders, cni: document.plan.cni };
}
