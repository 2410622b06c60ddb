import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Abortable, type GantryError, invalidArgument, notFound, unavailable } from '@gantry/sdk';
import type { NpmOptions } from './types.ts';

const timeoutMs = 300_000;
const maxOutputBytes = 64 * 1024;

export interface NpmCall extends Abortable {
  readonly cwd: string;
  /** A folder that is thrown away: npm's cache and home. */
  readonly scratch: string;
  readonly npm?: NpmOptions | undefined;
}

/**
 * Runs the machine's npm with this Node. It sees no environment of ours, can start nothing (no PATH, so no git and no shell), runs no
 * script of any package and installs nothing for all. Abort kills it. What it says when it fails ends up in the error.
 */
export async function runNpm(args: readonly string[], { cwd, scratch, npm = {}, signal }: NpmCall): Promise<void> {
  const program = npm.program ?? findNpm();
  const child = spawn(process.execPath, [program, ...settings(scratch), ...args], {
    cwd,
    env: { PATH: '/nonexistent', HOME: scratch, npm_config_userconfig: userConfig, ...npm.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: signal === undefined ? AbortSignal.timeout(timeoutMs) : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    killSignal: 'SIGKILL',
  });
  let said = '';
  const listen = (chunk: Buffer): void => void (said = (said + chunk.toString()).slice(-maxOutputBytes));
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(signal?.aborted === true ? (signal.reason as Error) : error));
    child.once('close', resolve);
  });
  signal?.throwIfAborted();
  if (code !== 0) throw failure(said, code, args);
}

/** Root's own: the registry and the credentials that the administrator chose for this machine. */
const userConfig = '/root/.npmrc';

function settings(scratch: string): readonly string[] {
  return [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--no-color',
    '--no-progress',
    '--loglevel=error',
    `--cache=${join(scratch, 'cache')}`,
  ];
}

function findNpm(): string {
  const places = [join(dirname(process.execPath), 'npm'), '/usr/bin/npm', '/usr/local/bin/npm', '/opt/node/bin/npm'];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return realpathSync(found);
  throw unavailable('npm is not installed on this machine', { hint: 'install npm, or install the plugin from a folder or a registry' });
}

function failure(said: string, code: number | null, args: readonly string[]): GantryError {
  const lines = said.split('\n').filter((line) => line.trim() !== '' && !/complete log of this run/.test(line));
  const words = lines.map((line) => line.replace(/^npm (error|ERR!) ?/, '')).join('; ');
  const [, reason = ''] = /\bcode (E\w+)/.exec(said) ?? [];
  const message = `npm ${args[0] ?? ''}: ${words.slice(0, 1000) || `exit code ${code}`}`;
  if (reason === 'E404') return notFound(message, { hint: 'is the name right, and the registry that npm is set up with?' });
  if (reason === 'ETARGET') return notFound(message, { hint: 'no published version fits the range' });
  if (/^(ENOTFOUND|ECONN|ETIMEDOUT|EAI_AGAIN|E5)/.test(reason))
    return unavailable(message, { hint: 'can this machine reach the npm registry?' });
  return invalidArgument(message);
}
