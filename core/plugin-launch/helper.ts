import { closeSync, readFileSync } from 'node:fs';
import { pidfdOpen, processStartTime, whenReadable } from '@gantry/sdk/linux';
import { type Abortable, keepAlive } from '../support/index.ts';
import { grantedCapabilities } from './capabilities.ts';
import { ProcessGroup } from './cgroup/group.ts';
import { checkFields } from './check.ts';
import { Ends, inTurn, openGate } from './confined.ts';
import { Sandbox } from './sandbox/sandbox.ts';
import { SandboxThread } from './sandbox/thread.ts';
import { seccompProgram } from './seccomp/program.ts';
import type { Place, SecretFile } from './sandbox/job.ts';
import type { LaunchExit, LaunchRequest } from './types.ts';

/** A program that works for a mount: confined as its plugin would be, and not bound to this engine. */
export interface HelperRequest
  extends Pick<LaunchRequest, 'name' | 'instance' | 'argv' | 'env' | 'codeDir' | 'uid' | 'gid' | 'resources' | 'cgroupParent'> {
  /** Of the plugin's privileges those that its helpers have, too. */
  readonly privileges: Pick<LaunchRequest['privileges'], 'network' | 'capabilities' | 'user'>;
  /** Its descriptors 1 and 2. */
  readonly output: number;
  /** Its descriptor 3. */
  readonly device: number;
  readonly places: readonly Place[];
  readonly files: readonly SecretFile[];
  /** What it says before it runs, of limits that this machine lacks. */
  readonly say: (line: string) => void;
}

/** A helper that runs, whoever started it. */
export interface HelperProcess {
  readonly pid: number;
  /** In clock ticks since boot: with the pid it means this process only. */
  readonly startTime: number;
  /** Never rejects. How is known of our own children only. */
  readonly ended: Promise<LaunchExit>;
  /** Everything of it, at once; resolves when its cgroup is gone. Also to be called when it has ended. */
  kill(): Promise<void>;
  /** It goes on without this engine. */
  leave(): Promise<void>;
}

/**
 * Starts a helper: in a sandbox as a plugin's, with no more capabilities than named. Unlike a plugin it outlives the engine: its sandbox ends when it has ended.
 * Refuses and undoes as `launch` does.
 */
export async function launchHelper(request: HelperRequest, { signal }: Abortable): Promise<HelperProcess> {
  signal.throwIfAborted();
  // Helpers' processes do not keep this one alive, so waiting for them does.
  using _alive = keepAlive();
  const { codeDir } = request;
  checkFields({ ...request, cwd: codeDir, dataDir: '/run/data', runDir: '/run/run', onLine: () => {} });
  return await inTurn(() => start(request, { signal }), { signal });
}

/** The helper that an earlier engine started; undefined when it has ended. */
export function adoptHelper({
  pid,
  startTime,
  instance,
  cgroupParent,
}: Pick<HelperProcess, 'pid' | 'startTime'> & Pick<LaunchRequest, 'instance' | 'cgroupParent'>): HelperProcess | undefined {
  if (!isRunning(pid, startTime)) return undefined;
  const left = new AbortController();
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch {
    return undefined;
  }
  // The number may have been given away between the two.
  if (!isRunning(pid, startTime)) {
    closeSync(pidfd);
    return undefined;
  }
  const ended = whenReadable(pidfd, { signal: left.signal, keepAlive: false })
    .catch(() => undefined)
    .then((): LaunchExit => ({ oomKilled: false }))
    .finally(() => closeSync(pidfd));
  return {
    pid,
    startTime,
    ended,
    async kill() {
      using _alive = keepAlive();
      await endHelper(instance, cgroupParent);
    },
    async leave() {
      left.abort();
      await ended;
    },
  };
}

/** One that nobody has reaped yet is over, too. */
function isRunning(pid: number, startTime: number): boolean {
  try {
    return processStartTime(pid) === startTime && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Kills whatever a helper of that name left running, of whom nothing else is known. */
export function endHelper(instance: string, cgroupParent?: string): Promise<void> {
  return ProcessGroup.end(instance, cgroupParent);
}

async function start(request: HelperRequest, { signal }: Abortable): Promise<HelperProcess> {
  await using undo = new AsyncDisposableStack();
  const thread = undo.use(new SandboxThread());
  const group = undo.use(await ProcessGroup.open(request));
  const stdin = undo.use(new Ends());
  const sandbox = undo.use(new Sandbox({ thread, group, keepAlive: false }));
  const { name, argv, env, uid, gid, privileges, codeDir, output, device, places, files, say } = request;
  const { numbers: capabilities, lacking } = grantedCapabilities(privileges.capabilities);
  if (lacking.length > 0) say(`${lacking.join(', ')} cannot be given: the engine itself has not got it`);
  await sandbox.build(
    {
      name,
      argv,
      cwd: '/',
      env,
      uid,
      gid,
      capabilities,
      stdio: [stdin.reader, output, output, device, sandbox.leashHolder],
      leash: sandbox.leash,
      patienceSeconds: undefined,
      pids: sandbox.pids,
      shown: [{ path: codeDir, access: 'read' }],
      places,
      files,
      hasOwnNetwork: privileges.network !== 'host',
      hasOwnIpc: true,
      hasOwnPids: true,
      instance: '',
      filter: seccompProgram(capabilities),
      joins: group.joins,
      leaves: group.leaves,
      isGated: group.takesProcesses,
    },
    { signal },
  );
  signal.throwIfAborted();
  const child = sandbox.takeProgram();
  const startTime = processStartTime(child.pid) ?? 0;
  if (group.takesProcesses) openGate(stdin.writer);
  undo.move();
  stdin[Symbol.dispose]();
  sandbox.letGo();
  const ended = child.ended.then(({ exitCode, signal: by }): LaunchExit => {
    const oomKilled = by === 'SIGKILL' && sandbox.oomKills() > 0;
    return { oomKilled, ...(exitCode === undefined ? {} : { exitCode }), ...(by === undefined ? {} : { signal: by }) };
  });
  let killed: Promise<void> | undefined;
  const kill = async (): Promise<void> => {
    using _alive = keepAlive();
    child.signal('SIGKILL');
    await child.ended;
    await sandbox[Symbol.asyncDispose]();
    child[Symbol.dispose]();
  };
  return {
    pid: child.pid,
    startTime,
    ended,
    kill: () => (killed ??= kill()),
    leave: () => sandbox.leave(),
  };
}
