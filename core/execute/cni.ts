import { existsSync } from 'node:fs';
import { type Abortable, unavailable } from '@gantry/sdk';
import type { Cni } from '@gantry/sdk/network';
import { failpoint } from '../support/index.ts';
import { canCheck, type CniList, type CniProgram, parseCniList } from './cni-config.ts';
import { askEach, askProgram, type CniCall, type CniOwner, oneLine, programFile } from './cni-program.ts';

/** A container's use of a CNI network, as it is recorded: undo needs nothing else. */
export interface CniWork extends CniOwner {
  readonly containerId: string;
  /** Empty, or gone: of a container whose namespace is gone already. */
  readonly netnsPath: string;
  readonly ifname: string;
  readonly cni: Cni;
  readonly portMappings: readonly CniPortMapping[];
  /** What the last ADD answered. */
  readonly result?: CniResult | undefined;
}
/** In the words of the conventions for `runtimeConfig`. */
export interface CniPortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP?: string;
}
/** The success result: CNI specification, section 5. */
export interface CniResult {
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
}

/** Every program of the list in order, each with what the one before answered. What a failure left is undone by `cniDel`. */
export async function cniAdd(work: CniWork, options: Abortable = {}): Promise<CniResult> {
  const list = parseCniList(work.cni.config);
  // None is run where another is not there.
  for (const program of list.plugins) programFile(program, work);
  let result: CniResult | undefined;
  for (const program of list.plugins) {
    const text = await askProgram(callOf('ADD', { ...work, result }, { list, program }), options);
    result = resultOf(text, program);
    failpoint('start.cni.added');
  }
  return result ?? {};
}

/** In reverse order, and each one although another failed; the first failure is thrown. Nothing made: nothing happens. */
export async function cniDel(work: CniWork): Promise<void> {
  const list = parseCniList(work.cni.config);
  await askEach(list.plugins.toReversed().map((program) => callOf('DEL', work, { list, program })));
}

/** Throws what a program finds wrong with what it made; lists that cannot be checked are whole. */
export async function cniCheck(work: CniWork): Promise<void> {
  const list = parseCniList(work.cni.config);
  if (!canCheck(list) || work.result === undefined) return;
  for (const program of list.plugins) await askProgram(callOf('CHECK', work, { list, program }));
}

/** CNI specification, section 3: the plugin's own part of the list, with what only the runtime knows. */
function callOf(
  command: CniCall['command'],
  { containerId, ifname, netnsPath, cni, plugin, folders, portMappings, result }: CniWork,
  { list, program }: { readonly list: CniList; readonly program: CniProgram },
): CniCall {
  const given = new Map<string, unknown>(Object.entries(cni.capabilities ?? {}).map(([name, json]) => [name, JSON.parse(json)]));
  if (portMappings.length > 0) given.set('portMappings', portMappings);
  const runtimeConfig = Object.fromEntries([...given].filter(([name]) => program.capabilities?.[name] === true));
  const args = Object.entries(cni.args ?? {}).map(([key, value]) => `${key}=${value}`);
  return {
    command,
    list,
    program,
    plugin,
    folders,
    env: {
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netnsPath !== '' && existsSync(netnsPath) ? netnsPath : '',
      CNI_IFNAME: ifname,
      CNI_ARGS: args.join(';'),
    },
    input: {
      ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
      // DEL has had it since 0.4.0, and older programs take no notice.
      ...(result === undefined || (command === 'DEL' && list.cniVersion === '0.3.1') ? {} : { prevResult: result }),
    },
  };
}

function resultOf(text: string, { type }: CniProgram): CniResult {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below.
  }
  throw unavailable(`CNI plugin ${type} answered no result to ADD: ${oneLine(text)}`);
}
