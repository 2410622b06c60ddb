import { GantryError, invalidArgument } from '@gantry/sdk';
import type { Attached, ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';

export interface RanContainer {
  readonly id: string;
  /** Removes it, unless whoever builds wants to look at one that failed. */
  done(outcome: { readonly isWhole: boolean }): Promise<void>;
}

/**
 * Runs a container to its end. Fails with Docker's words when it ends with another code than 0. Abort kills it and leaves none.
 */
export async function runContainer(
  job: Job,
  step: number,
  wishes: { readonly config: ContainerConfig; readonly hostConfig: HostConfig },
  command: readonly string[],
): Promise<RanContainer> {
  const { request, signal } = job;
  const { containers } = request.engine;
  signal.throwIfAborted();
  const { id } = await containers.create(wishes);
  const container = { id, done: (outcome: { readonly isWhole: boolean }) => done(job, { step, id, ...outcome }) };
  request.onEvent({ kind: 'container', step, id, isRemoved: false });
  try {
    const exitCode = await runToEnd(job, step, id);
    if (exitCode !== 0) throw failure(command, exitCode, containers.inspect(id).state.oomKilled);
    return container;
  } catch (error) {
    await container.done({ isWhole: false });
    throw error;
  }
}

async function runToEnd({ request, signal }: Job, step: number, id: string): Promise<number> {
  const { containers } = request.engine;
  await using attached = await containers.attach(id, { stdin: false, stdout: true, stderr: true, stream: true, signal });
  const { result } = containers.wait(id, 'next-exit');
  const kill = (): void => {
    // It may have ended by itself, or not have begun: then there is nothing to kill.
    void containers.kill(id, { signal: 'KILL' }).catch(() => undefined);
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    const telling = tell(attached, async (source, data) => {
      request.onEvent({ kind: 'output', step, source, data });
      await request.taken?.();
    });
    await containers.start(id, { signal });
    const { exitCode } = await Promise.race([result, aborted(signal)]);
    await telling;
    signal.throwIfAborted();
    return exitCode;
  } finally {
    signal.removeEventListener('abort', kill);
    result.catch(() => undefined);
  }
}

async function tell({ output }: Attached, told: (source: 'stdout' | 'stderr', data: Buffer) => Promise<void>): Promise<void> {
  // The chunk's memory may be used again when the next one is asked for.
  for await (const { source, data } of output) await told(source, Buffer.from(data));
}

/** Rejects when the signal does. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  promise.catch(() => undefined);
  return promise;
}

function failure(command: readonly string[], exitCode: number, oomKilled: boolean): GantryError {
  return invalidArgument(`The command '${command.join(' ')}' returned a non-zero code: ${exitCode}`, {
    facts: { exitCode, command },
    ...(oomKilled ? { hint: 'it was killed because it used more memory than it may' } : {}),
  });
}

async function done(
  { request, signal }: Job,
  { step, id, isWhole }: { readonly step: number; readonly id: string; readonly isWhole: boolean },
): Promise<void> {
  const isKept = isWhole ? !request.remove && !request.forceRemove : !request.forceRemove && !signal.aborted;
  if (isKept) return;
  try {
    await request.engine.containers.remove(id, { force: true, volumes: true });
    request.onEvent({ kind: 'container', step, id, isRemoved: true });
  } catch (error) {
    if (!GantryError.is(error) || error.code !== 'not_found') throw error;
  }
}
