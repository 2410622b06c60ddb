import { type Abortable, conflict, messageOf, notModified } from '@gantry/sdk';
import type { RuntimeCommand } from '@gantry/sdk/exec';
import { rootOf } from '@gantry/sdk/linux';
import { allSettledOrThrow, failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { beginHealthchecks } from '../health/begin.ts';
import { connectPending } from '../io/pending.ts';
import { lookInside } from '../inside/aside.ts';
import type { Looking } from '../inside/look.ts';
import { loggedContainer } from '../logged.ts';
import { type Run, timestamp } from '../model.ts';
import { removeAfterExit } from '../remove/remove.ts';
import type { Room } from '../room.ts';
import { composeSpec, writeBundle } from './bundle.ts';
import { expectCgroupMove } from './cgroup-moves.ts';
import { type Attaching, attachMounts } from './mounts.ts';
import { sharedMemory } from './namespaces.ts';
import { startExitCode } from './failure.ts';
import { checkMappedUser, checkReachable, openUserNamespaceOf, type UserNamespace } from '../user-namespace.ts';
import { workingDirectoryOf } from './spec-process.ts';
import { createProcess, type CreatedProcess } from './process.ts';

/**
 * Starts a container that does not run: `not_modified` when it does. A failure at any step takes everything back, the runtime's state
 * included, and is kept as the container's error; a container that is to go when it ends goes then too. Resolves when the user's
 * program runs. Abort takes a start back that is still about what the container needs; one that is about its process comes to its end.
 */
export async function startContainer(room: Room, entry: Entry, { signal }: Abortable = {}): Promise<void> {
  using _held = await room.lock(entry);
  checkStartable(entry);
  forgetEarlierEnd(room, entry);
  try {
    await startLocked(room, entry, { signal });
  } catch (error) {
    if (entry.document.hostConfig.AutoRemove === true) await removeAfterExit(room, entry);
    throw error;
  }
}

/** The same for who holds the lock: restarts after an end. */
export async function startLocked(room: Room, entry: Entry, { signal }: Abortable = {}): Promise<void> {
  entry.hasFailed = false;
  expectCgroupMove();
  const { kind } = entry.phase;
  const from = kind === 'created' || kind === 'restarting' ? kind : 'exited';
  try {
    await using undo = new AsyncDisposableStack();
    await using sources = new AsyncDisposableStack();
    const { command, ...prepared } = await prepare({ room, entry, undo, sources, signal });
    signal?.throwIfAborted();
    failpoint('start.intent');
    room.store.setState(entry, { phase: { kind: 'starting', from }, error: '' });
    const created = await createProcess(room, entry, { undo, command });
    await connectPending(entry, created.streams);
    // Before its first line: clients ask for the log since then.
    const startedAt = timestamp();
    await letItRun(room, entry, created);
    undo.move();
    becomeRunning(room, entry, { ...prepared, ...created }, startedAt);
  } catch (error) {
    const { restartCount } = entry;
    room.store.setState(entry, { phase: { kind: from }, restartCount, exitCode: startExitCode(error), error: messageOf(error) });
    // Whoever waits for the end of what never ran learns that it ended.
    entry.wake('not-running', 'next-exit');
    throw error;
  }
}

function checkStartable({ phase, isPaused, id }: Entry): void {
  if (isPaused) throw conflict('cannot start a paused container, try unpause instead');
  if (phase.kind === 'running') throw notModified(`container ${id} is running already`);
  if (phase.kind === 'removing' || phase.kind === 'dead') throw conflict('container is marked for removal and cannot be started');
}

/** A start by a user begins the counting of restarts anew. */
function forgetEarlierEnd(room: Room, entry: Entry): void {
  clearTimeout(entry.restartTimer);
  entry.exitWanted = false;
  entry.restartDelayMs = 0;
  room.store.setState(entry, {
    stoppedByUser: false,
    restartCount: 0,
    ...(entry.phase.kind === 'restarting' && { phase: { kind: 'exited' } }),
  });
}

interface Prepared extends Pick<Run, 'rootfs' | 'sandboxKey' | 'ports' | 'idMaps'> {
  readonly command: RuntimeCommand | undefined;
}

/** Everything that the process needs, each part with its undo. */
async function prepare({ room, entry, undo, sources, signal }: Attaching): Promise<Prepared> {
  const { layers, networks } = room.parts;
  const { id, name, document } = entry;
  undo.defer(() => layers.unmount(id));
  undo.defer(() => networks.teardown(id));
  const userns = await openUserNamespaceOf(room, entry, sources);
  // Neither needs the other, and their drivers may be processes apart.
  const [{ rootfs, seen }, sandbox] = await allSettledOrThrow(
    // One that is removed when it ends has nothing to lose in a power cut.
    layers.mount(id, { ephemeral: document.hostConfig.AutoRemove === true, signal }).then(async (mounted) => {
      if (userns !== undefined) checkReachable(mounted);
      const found = await lookInside(lookingOf(document, mounted, userns), { signal });
      checkMappedUser(found.user, userns?.maps);
      failpoint('start.rw.mount');
      return { rootfs: mounted, seen: found };
    }),
    networks.setup(
      {
        id,
        name,
        config: document.config,
        hostConfig: document.hostConfig,
        networks: document.networks,
        ...(userns && { userNamespace: userns.path }),
      },
      signal === undefined ? {} : { signal },
    ),
  );
  failpoint('start.netns');
  const mounts = await attachMounts({ room, entry, undo, sources, signal, userns }, seen.mounts);
  failpoint('start.vol.mount');
  const shared = await sharedMemory({ room, entry, undo, sources, signal });
  const spec = composeSpec(room, entry, { rootfs, user: seen.user, sandbox, mounts, userns, ...shared });
  const { command } = await writeBundle(room, entry, spec, sources);
  failpoint('start.bundle');
  return { rootfs, sandboxKey: sandbox.netnsPath ?? '', ports: sandbox.ports, command, ...(userns && { idMaps: userns.maps }) };
}

function lookingOf({ config, hostConfig, mounts }: Entry['document'], rootfs: string, userns: UserNamespace | undefined): Looking {
  const owner = userns && rootOf(userns.maps);
  const start = { mounts, workingDirectory: workingDirectoryOf(config), owner };
  return { rootfs, user: config.User ?? '', groupAdd: hostConfig.GroupAdd ?? [], start };
}

async function letItRun(room: Room, entry: Entry, { streams }: CreatedProcess): Promise<void> {
  const driver = await room.driver(entry);
  failpoint('start.intent.running');
  await driver.start({ id: entry.id }, room.context());
  failpoint('start.runtime.start');
  room.parts.logs.start(loggedContainer(room, entry, streams.control));
}

function becomeRunning(room: Room, entry: Entry, run: Run, startedAt: string): void {
  room.store.setState(entry, {
    phase: { kind: 'running', run, paused: false },
    startedAt,
    restartCount: entry.restartCount,
    exitCode: 0,
    error: '',
    oomKilled: false,
  });
  failpoint('start.state.persist');
  beginHealthchecks(room, entry);
  room.announce(entry, 'start');
  failpoint('start.event');
}
