import { closeSync, writeSync } from 'node:fs';
import { isErrno, pipe } from '@gantry/sdk/linux';
import { type Abortable, Turns } from '../support/index.ts';
import { grantedCapabilities } from './capabilities.ts';
import { ProcessGroup } from './cgroup/group.ts';
import { checkPlaces } from './check.ts';
import { Output } from './output/output.ts';
import { RunningPlugin } from './running.ts';
import type { SandboxJob } from './sandbox/job.ts';
import { Sandbox } from './sandbox/sandbox.ts';
import { shownTo } from './sandbox/shown.ts';
import { SandboxThread } from './sandbox/thread.ts';
import { seccompProgram } from './seccomp/program.ts';
import type { Launched, LaunchRequest } from './types.ts';

/** How long an abort waits for a thread that hangs (a dead network file system among what is to be shown) until everything is undone. */
const patienceMs = 5000;
/** A thread's start is all work for a CPU: two dozen at once, as at the engine's start, would keep the engine from answering for a second. */
const turns = new Turns(2);

export function startConfined(request: LaunchRequest, { signal }: Abortable): Promise<Launched> {
  return inTurn(() => start(request, { signal }), { signal });
}

/** Builds a sandbox, and promises that an abort is an answer within seconds: what is still to be undone then is undone whenever that is possible. */
export async function inTurn<T>(build: () => Promise<T>, { signal }: Abortable): Promise<T> {
  using _turn = await turns.take({ signal });
  const late = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => void (timer = setTimeout(() => late.reject(signal.reason), patienceMs));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([build(), late.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  }
}

/** Prepares, has a thread build the sandbox and start the program in it, and hands both over. */
async function start(request: LaunchRequest, { signal }: Abortable): Promise<Launched> {
  await using undo = new AsyncDisposableStack();
  // The thread's own start takes longest, so it comes first.
  const thread = undo.use(new SandboxThread());
  await checkPlaces(request);
  signal.throwIfAborted();
  const group = undo.use(await ProcessGroup.open(request));
  const output = undo.use(new Output(request.onLine));
  const stdin = undo.use(new Ends());
  const sandbox = undo.use(new Sandbox({ thread, group }));
  const job = jobOf(request, { group, output, stdin: stdin.reader, sandbox });
  await sandbox.build(job, { signal });
  signal.throwIfAborted();
  const child = sandbox.takeProgram();
  if (job.isGated) openGate(stdin.writer);
  stdin.closeReader();
  undo.move();
  return new RunningPlugin({ child, output, stdin: stdin.writer, confinement: sandbox });
}

function jobOf(
  request: LaunchRequest,
  {
    group,
    output,
    stdin,
    sandbox,
  }: { readonly group: ProcessGroup; readonly output: Output; readonly stdin: number; readonly sandbox: Sandbox },
): SandboxJob {
  const { name, instance, argv, cwd, env, uid, gid, privileges } = request;
  const { numbers: capabilities, lacking } = grantedCapabilities(privileges.capabilities);
  if (lacking.length > 0) output.say(`${lacking.join(', ')} cannot be given: the engine itself has not got it`);
  if (group.missing.length > 0) output.say(`${group.missing.join(', ')} cannot be limited: this machine has no cgroup controller for it`);
  return {
    name,
    argv,
    cwd: request.container?.cwd ?? cwd,
    env,
    uid,
    gid,
    capabilities,
    stdio: [stdin, ...output.writers],
    leash: sandbox.leash,
    patienceSeconds: 35,
    pids: sandbox.pids,
    shown: shownTo(request),
    places: [],
    files: [],
    container: request.container,
    hasOwnNetwork: privileges.network !== 'host',
    hasOwnIpc: privileges.hostIpc !== true,
    hasOwnPids: privileges.hostPid !== true,
    instance,
    filter: seccompProgram(capabilities),
    joins: group.joins,
    leaves: group.leaves,
    isGated: group.takesProcesses,
  };
}

/** The program has been moved into its cgroup: it may begin. */
export function openGate(stdin: number): void {
  try {
    writeSync(stdin, 'go\n');
  } catch (error) {
    // It has ended already, which `exited` tells.
    if (!isErrno(error, 'EPIPE')) throw error;
  }
}

/** A pipe for the plugin's stdin. */
export class Ends implements Disposable {
  readonly #ends = pipe();
  #readerIsOpen = true;

  get reader(): number {
    return this.#ends.reader;
  }

  get writer(): number {
    return this.#ends.writer;
  }

  closeReader(): void {
    if (this.#readerIsOpen) closeSync(this.#ends.reader);
    this.#readerIsOpen = false;
  }

  [Symbol.dispose](): void {
    this.closeReader();
    closeSync(this.#ends.writer);
  }
}
