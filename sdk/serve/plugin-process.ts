import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { invalidArgument, messageOf, unavailable } from '../errors.ts';
import { durationMs, type Manifest } from '../manifest.ts';
import { isGreeting, programOf } from './start.ts';

/** A plugin's own process, as the engine sees it. */
export interface PluginProcess {
  readonly pid: number;
  /** Its first line on stdout. */
  readonly greeting: string;
  /** What it printed after that. */
  readonly printed: readonly string[];
  /** Never rejects; how it ended, in words. */
  readonly ended: Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** The engine is no more. */
  closeStdin(): void;
}

/** Milliseconds that it may take to end. */
const graceMs = 10_000;

export interface SpawnPluginOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly before?: readonly string[];
  /** Told what it prints, of which then only the last lines are kept. */
  readonly onLine?: (line: string) => void;
}

/** How much of what it printed is kept where it may run for years. */
const keptLines = 100;

/** Starts a plugin's program, without a sandbox, by another that is named before it; resolves at its first line. Disposing asks it to end, and insists after ten seconds. */
export async function spawnPlugin(
  dir: string,
  manifest: Manifest,
  { env, before = [], onLine }: SpawnPluginOptions,
): Promise<PluginProcess & AsyncDisposable> {
  const [command = '', ...given] = [...before, ...programOf(dir, manifest)];
  const child = spawn(command, given, { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] });
  await once(child, 'spawn').catch((cause: unknown) => notThere(manifest, command, cause));
  await using undo = new AsyncDisposableStack();
  const ended = once(child, 'exit');
  undo.defer(() => end(child, ended));
  const printed: string[] = [];
  const print = (line: string): void => {
    printed.push(line);
    if (onLine !== undefined && printed.length > keptLines) printed.shift();
    onLine?.(line);
  };
  createInterface(child.stderr).on('line', print);
  child.stdin.on('error', () => {});
  const greeting = await firstLine(child, ended, { manifest, printed, print });
  const whole = undo.move();
  return {
    pid: child.pid ?? 0,
    greeting,
    printed,
    ended: ended.then(([code, by]: (number | string | null)[]) =>
      code === null ? `it was ended by ${by}` : `it exited with code ${code}`,
    ),
    signal: (signal) => void child.kill(signal),
    closeStdin: () => void child.stdin.end(),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

async function firstLine(
  child: ChildProcess & { readonly stdout: NodeJS.ReadableStream },
  ended: Promise<unknown>,
  {
    manifest: { startTimeout: within = '10s' },
    printed,
    print,
  }: { readonly manifest: Manifest; readonly printed: readonly string[]; readonly print: (line: string) => void },
): Promise<string> {
  const heard = Promise.withResolvers<string>();
  let isFirst = true;
  createInterface(child.stdout).on('line', (line) => {
    if (isFirst) heard.resolve(line);
    else print(line);
    isFirst = false;
  });
  const late = delay(durationMs(within), { failure: `it said nothing on stdout for ${within}` }, { ref: false });
  // What it printed last may come after its end.
  const died = ended.then(() => delay(100, { failure: 'it ended' }));
  const found = await Promise.race([heard.promise.then((line) => ({ line })), died, late]);
  const failure = 'failure' in found ? found.failure : isGreeting(found.line) ? undefined : notGreeting(found.line);
  if ('line' in found && failure === undefined) return found.line;
  const said = printed.join('\n').slice(-4_096);
  throw unavailable(`the plugin did not start: ${failure}${said === '' ? '' : `; it printed: ${said}`}`);
}

const notGreeting = (line: string): string => `its first line on stdout is ${JSON.stringify(line)}, not "GANTRY-PLUGIN 1 {…}"`;

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.stdin?.end();
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(late);
}

function notThere({ name }: Manifest, program: string, cause: unknown): never {
  throw invalidArgument(`plugin ${name}: ${program} cannot be started: ${messageOf(cause)}`, {
    cause,
    hint: 'build the plugin first; entry.exec in its manifest names the program',
  });
}
