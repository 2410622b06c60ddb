/**
 * The thread in which a sandbox is built. Namespaces, credentials and the system call filter belong to a thread in Linux, and what a thread starts by
 * posix_spawn inherits its own: so this one becomes what the plugin is to be, starts it, and ends. The engine's other threads stay what they are.
 */
import { parentPort } from 'node:worker_threads';
import { codeOf, fromErrno, GantryError, messageOf } from '@gantry/sdk';
import { becomeUser, installSeccomp, Rtnetlink, setHostname, setNoNewPrivileges, umask, unshare } from '@gantry/sdk/linux';
import { openMemberships } from './memberships.ts';
import { startInit } from './init.ts';
import type { SandboxJob, SandboxReply } from './job.ts';
import { prepareContainer } from './container.ts';
import { enterRoot, sealRoot } from './root.ts';
import { startProgram } from './program.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the main file of a worker thread');

port.once('message', (job: SandboxJob) => {
  let reply: SandboxReply;
  try {
    start(job);
    reply = { kind: 'started' };
  } catch (error) {
    reply = failure(job.name, error);
  }
  port.postMessage(reply);
});

/** Measured on a busy machine with two CPUs: 15 ms, of which the first call takes 5 (it loads the foreign function library), the root 3 and the first process 5. */
function start(job: SandboxJob): void {
  const { container: wished } = job;
  const { hasOwnIpc, hasOwnNetwork, hasOwnPids } = job;
  const own = { ipc: hasOwnIpc, net: hasOwnNetwork, pid: hasOwnPids } as const;
  unshare('mount', 'uts', ...(['ipc', 'net', 'pid'] as const).filter((kind) => own[kind]));
  umask(0o022);
  using memberships = openMemberships(job);
  const container = wished && prepareContainer(wished);
  enterRoot(job.shown, {
    container,
    taken: wished === undefined ? [] : [wished.rootDir, wished.upperDir, wished.workDir],
    places: job.places,
    files: job.files,
    uid: job.uid,
  });
  memberships.join();
  using init = startInit(job);
  // What follows is done while that one mounts /proc.
  setHostname(job.name.slice(0, 64));
  if (job.hasOwnNetwork) raiseLoopback();
  sealRoot();
  if (container !== undefined) {
    init.waitUntilReady();
    container.enter();
  }
  becomeUser(job);
  setNoNewPrivileges();
  installSeccomp(job.filter);
  if (container === undefined) init.waitUntilReady();
  startProgram(job);
  memberships.leave();
}

function raiseLoopback(): void {
  using netlink = Rtnetlink.open();
  netlink.linkSet('lo', { up: true });
}

function failure(name: string, thrown: unknown): SandboxReply {
  const isErrno = thrown instanceof Error && 'syscall' in thrown;
  const error = isErrno ? fromErrno(thrown, `plugin ${name}: its sandbox cannot be made`) : thrown;
  return { kind: 'failed', code: codeOf(error), message: messageOf(error), hint: GantryError.is(error) ? error.hint : undefined };
}
