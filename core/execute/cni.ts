import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, codeOf, GantryError, messageOf, unavailable } from '@gantry/sdk';
import { run } from '@gantry/sdk/linux';
import type { Cni } from '@gantry/sdk/network';
import { failpoint } from '../support/index.ts';
import { canCheck, type CniList, type CniProgram, parseCniList } from './cni-config.ts';
import { trustedProgram } from './trusted-program.ts';

/** A container's use of a CNI network, as it is recorded: undo needs nothing else. */
export interface CniWork {
  readonly plugin: string;
  readonly containerId: string;
  /** Empty, or gone: of a container whose namespace is gone already. */
  readonly netnsPath: string;
  readonly ifname: string;
  readonly cni: Cni;
  /** Folders with programs. */
  readonly folders: readonly string[];
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

type Command = 'ADD' | 'DEL' | 'CHECK';

/** Programs of other people's, over the network perhaps. */
const timeoutMs = 30_000;

/** Every program of the list in order, each with what the one before answered. What a failure left is undone by `cniDel`. */
export async function cniAdd(work: CniWork, options: Abortable = {}): Promise<CniResult> {
  const list = parseCniList(work.cni.config);
  const programs = list.plugins.map((program) => ({ program, file: fileOf(program, work) }));
  let result: CniResult | undefined;
  for (const { program, file } of programs) {
    const text = await runOne('ADD', { ...work, result, list, program, file }, options);
    result = resultOf(text, program);
    failpoint('start.cni.added');
  }
  return result ?? {};
}

/** In reverse order, and each one although another failed; the first failure is thrown. Nothing made: nothing happens. */
export async function cniDel(work: CniWork): Promise<void> {
  const list = parseCniList(work.cni.config);
  const failures: unknown[] = [];
  for (const program of list.plugins.toReversed()) {
    try {
      await runOne('DEL', { ...work, list, program, file: fileOf(program, work) }, {});
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new GantryError(codeOf(failures[0]), messageOf(failures[0]), { cause: failures[0] });
}

/** Throws what a program finds wrong with what it made; lists that cannot be checked are whole. */
export async function cniCheck(work: CniWork): Promise<void> {
  const list = parseCniList(work.cni.config);
  if (!canCheck(list) || work.result === undefined) return;
  for (const program of list.plugins) await runOne('CHECK', { ...work, list, program, file: fileOf(program, work) }, {});
}

function fileOf({ type }: CniProgram, { folders, plugin }: CniWork): string {
  const file = folders.map((folder) => join(folder, type)).find((path) => existsSync(path));
  if (file === undefined) {
    throw unavailable(`CNI plugin ${type} is not installed`, {
      hint: `it was looked for in ${folders.join(' and ')}; Debian, Ubuntu: apt install containernetworking-plugins`,
    });
  }
  return trustedProgram(file, { what: 'CNI plugin', plugin });
}

interface Run extends CniWork {
  readonly list: CniList;
  readonly program: CniProgram;
  readonly file: string;
}

async function runOne(command: Command, given: Run, { signal }: Abortable): Promise<string> {
  const { file, program, containerId, ifname, netnsPath, cni, folders } = given;
  const args = Object.entries(cni.args ?? {}).map(([key, value]) => `${key}=${value}`);
  const { exitCode, stdout, stderr } = await run({
    file,
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netnsPath !== '' && existsSync(netnsPath) ? netnsPath : '',
      CNI_IFNAME: ifname,
      CNI_ARGS: args.join(';'),
      CNI_PATH: folders.join(':'),
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    },
    stdin: JSON.stringify(inputOf(command, given)),
    timeoutMs,
    signal,
  });
  if (exitCode !== 0) throw failed(command, program, { stdout: String(stdout), stderr: String(stderr) });
  return String(stdout);
}

/** CNI specification, section 3: the plugin's own part of the list, with what only the runtime knows. */
function inputOf(command: Command, { list, program, cni, portMappings, result }: Run): object {
  const { capabilities = {}, ...settings } = program;
  const given = new Map<string, unknown>(Object.entries(cni.capabilities ?? {}).map(([name, json]) => [name, JSON.parse(json)]));
  if (portMappings.length > 0) given.set('portMappings', portMappings);
  const runtimeConfig = Object.fromEntries([...given].filter(([name]) => capabilities[name] === true));
  return {
    ...settings,
    cniVersion: list.cniVersion,
    name: list.name,
    ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
    // DEL has had it since 0.4.0, and older programs take no notice.
    ...(result === undefined || (command === 'DEL' && list.cniVersion === '0.3.1') ? {} : { prevResult: result }),
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

/** Errors come as JSON on stdout: section 5. Those codes below 100 that are the configuration's fault are the user's to mend. */
function failed(command: Command, { type }: CniProgram, { stdout, stderr }: { readonly stdout: string; readonly stderr: string }): Error {
  const { code = 0, msg = '', details = '' } = errorOf(stdout);
  const said = [msg, details].filter((text) => text !== '').join(': ') || stderr || stdout || 'it said nothing';
  return new GantryError(
    [1, 2, 7].includes(code) ? 'invalid_argument' : 'unavailable',
    `CNI plugin ${type} failed to ${command}: ${oneLine(said)}`,
  );
}

function errorOf(text: string): { readonly code?: number; readonly msg?: string; readonly details?: string } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, 500);
}
