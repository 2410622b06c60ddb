import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { codeOf, invalidArgument, messageOf, notImplemented, unavailable } from '@gantry/sdk';

/** One bare repository, and what git may know of the world. */
export interface Git {
  readonly dir: string;
  /** Names and values of git's settings that nobody else is to see: credentials. */
  readonly secretSettings: readonly (readonly [name: string, value: string])[];
  /** Proxies. */
  readonly environment: Readonly<Record<string, string>>;
  /** The command that speaks ssh, with the agent of whoever builds; undefined: ssh is not spoken. */
  readonly ssh: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Nothing that a repository says is run: no hook, no filter, no credential helper, no pager; and only these protocols are spoken, whatever
 * an address or a submodule says. Files of a repository are never checked out.
 */
const settings: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.askPass': '',
  'credential.helper': '',
  'protocol.allow': 'never',
  'protocol.http.allow': 'always',
  'protocol.https.allow': 'always',
  'protocol.git.allow': 'always',
  'protocol.version': '2',
  'http.followRedirects': 'initial',
  'http.lowSpeedLimit': '1',
  'http.lowSpeedTime': '60',
  'fetch.recurseSubmodules': 'false',
  'submodule.recurse': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'safe.directory': '*',
};
const mostOutputBytes = 256 * 2 ** 20;
const mostSaidBytes = 64 * 1024;

type GitProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts git; abort ends it and whatever it started. Its end is awaited by `outcome`, which fails with what git says. */
export function startGit(git: Git, args: readonly string[]): { readonly child: GitProcess; readonly outcome: Promise<void> } {
  git.signal.throwIfAborted();
  const spoken = git.ssh === undefined ? {} : { 'protocol.ssh.allow': 'always' };
  const child = spawn(
    'git',
    [...Object.entries({ ...settings, ...spoken }).flatMap(([name, value]) => ['-c', `${name}=${value}`]), ...args],
    {
      cwd: git.dir,
      env: environmentOf(git),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const kill = (): void => killGroup(child.pid);
  git.signal.addEventListener('abort', kill, { once: true });
  child.stdin.on('error', () => {}); // it may end before it has read everything
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-mostSaidBytes)));
  const outcome = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(notRunnable(error)));
    child.once('close', (code) => {
      git.signal.removeEventListener('abort', kill);
      kill();
      if (git.signal.aborted) reject(git.signal.reason as Error);
      else if (code === 0) resolve();
      else reject(failure(args[0] ?? '', said));
    });
  });
  outcome.catch(() => undefined);
  return { child, outcome };
}

/** What git answers. */
export async function runGit(git: Git, args: readonly string[]): Promise<Buffer> {
  const { child, outcome } = startGit(git, args);
  child.stdin.end();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostOutputBytes) throw invalidArgument(`git ${args[0] ?? ''} answers with more than ${mostOutputBytes} bytes`);
    chunks.push(chunk);
  }
  await outcome;
  return Buffer.concat(chunks);
}

/** Nothing of ours but these. Settings in the environment are seen by root alone, those in arguments by everybody. */
function environmentOf({ dir, secretSettings, environment, ssh }: Git): NodeJS.ProcessEnv {
  return {
    ...environment,
    ...(ssh === undefined ? {} : { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: 'ssh' }),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: dir,
    LC_ALL: 'C',
    GIT_DIR: dir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_CONFIG_COUNT: String(secretSettings.length),
    ...Object.fromEntries(
      secretSettings.flatMap(([name, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, name],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  };
}

function notRunnable(error: Error): Error {
  if ('code' in error && error.code === 'ENOENT')
    return notImplemented('building from git repositories needs git, which this machine does not have', {
      hint: 'install git, or send a clone as the context',
    });
  return unavailable(`git cannot be run: ${messageOf(error)}`, { cause: error });
}

function failure(command: string, said: string): Error {
  if (/cannot run ssh|ssh: (?:command )?not found/i.test(said))
    return notImplemented('git repositories by ssh need ssh, which this machine does not have', { hint: 'install openssh-client' });
  const lines = said.split('\n').map((line) => line.replace(/^(?:fatal|error): /, '').trim());
  const told =
    lines
      .filter((line) => line !== '' && !/^Please make sure you have the correct|^and the repository exists/.test(line))
      .slice(-3)
      .join('; ') || 'it failed';
  const isFarAway = /unable to (?:connect|access|look up)|Could not resolve|Connection (?:refused|timed out|reset)|early EOF|hung up/i.test(
    said,
  );
  const text = `git ${command}: ${told}`.slice(0, 600);
  return isFarAway ? unavailable(text) : invalidArgument(text);
}

/** Whether git said no, and was not merely kept from asking. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error) === 'invalid_argument';
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // They are all gone.
  }
}
