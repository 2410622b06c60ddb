import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, codeOf, GantryError, messageOf, unavailable } from '@gantry/sdk';
import { run } from '@gantry/sdk/linux';
import type { CniList, CniProgram } from './cni-config.ts';
import { trustedProgram } from './trusted-program.ts';

/** Of a plugin that describes CNI programs: its name, and the folders that it was granted. */
export interface CniOwner {
  readonly plugin: string;
  readonly folders: readonly string[];
}
/** One program asked for one thing. */
export interface CniCall extends CniOwner {
  readonly command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS';
  readonly list: CniList;
  readonly program: CniProgram;
  /** CNI_CONTAINERID and the like; CNI_COMMAND and CNI_PATH are set. */
  readonly env?: Readonly<Record<string, string>>;
  /** Beside the program's own part of the list. */
  readonly input?: Readonly<Record<string, unknown>>;
}

/** Programs of other people's, over the network perhaps. */
const timeoutMs = 30_000;

/** Runs it as CNI's specification says, section 2 and 3, and answers what it printed; its error is thrown as one line that names it. */
export async function askProgram(call: CniCall, { signal }: Abortable = {}): Promise<string> {
  const { command, list, program, folders, env = {}, input = {} } = call;
  const { capabilities: _declared, ...settings } = program;
  const { exitCode, stdout, stderr } = await run({
    file: programFile(program, call),
    env: {
      CNI_COMMAND: command,
      ...env,
      CNI_PATH: folders.join(':'),
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    },
    stdin: JSON.stringify({ ...settings, cniVersion: list.cniVersion, name: list.name, ...input }),
    timeoutMs,
    signal,
  });
  if (exitCode !== 0) throw failed(command, program, { stdout: String(stdout), stderr: String(stderr) });
  return String(stdout);
}

/** Each one although another failed; the first failure is thrown. */
export async function askEach(calls: readonly CniCall[]): Promise<void> {
  const failures: unknown[] = [];
  for (const call of calls) {
    try {
      await askProgram(call);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new GantryError(codeOf(failures[0]), messageOf(failures[0]), { cause: failures[0] });
}

/** `unavailable` when it is not installed, or not by root alone. */
export function programFile({ type }: CniProgram, { folders, plugin }: CniOwner): string {
  const file = folders.map((folder) => join(folder, type)).find((path) => existsSync(path));
  if (file === undefined) {
    throw unavailable(`CNI plugin ${type} is not installed`, {
      hint: `it was looked for in ${folders.join(' and ')}; Debian, Ubuntu: apt install containernetworking-plugins`,
    });
  }
  return trustedProgram(file, { what: 'CNI plugin', plugin });
}

/** Errors come as JSON on stdout: section 5. Those codes below 100 that are the configuration's fault are the user's to mend. */
function failed(
  command: CniCall['command'],
  { type }: CniProgram,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): Error {
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

/** At most 500 characters of what a program said. */
export function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, 500);
}
