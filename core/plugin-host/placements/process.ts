import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HostContext, invalidArgument, type Logger, type Privileges, unavailable } from '@gantry/sdk';
import type { PluginLine } from '@gantry/sdk/engine';
import { connectGrpc, Dispatcher, handshake, hostServiceOf, type PluginService, remote, serveGrpc, type Wire } from '@gantry/sdk/rpc';
import { environmentOf, isGreeting, moduleProgram, programOf } from '@gantry/sdk/serve/start';
import { driverContext } from '../../drivers/index.ts';
import { launch, type Launched, type LaunchExit } from '../../plugin-launch/index.ts';
import type { Ending, Link } from './link.ts';
import type { Output } from './output.ts';
import type { Version } from '../record.ts';
import { linkOver, sessionOr } from './remote-link.ts';
import { resourcesOf } from './sizes.ts';

export interface ProcessStart {
  readonly version: Version;
  readonly instance: string;
  readonly engineVersion: string;
  readonly uid: number;
  readonly host: HostContext;
  readonly log: Logger;
  readonly output: Output;
  readonly cgroupParent: string;
  readonly keepaliveMs: number;
  readonly signal: AbortSignal;
}

/** What the program that serves a Node module needs to read: the checkout or the package that it is in. */
const ownFiles = join(dirname(moduleProgram), '../..');

/** A plugin in a process of its own, confined to what it was granted. Its sockets are in a folder of this start alone. */
export async function startProcess(start: ProcessStart): Promise<Link> {
  const { version, instance, engineVersion, host, log, output, signal } = start;
  const { dir, manifest } = version;
  await using undo = new AsyncDisposableStack();
  const folder = makeFolder(start);
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const hostSocket = join(folder, 'h.sock');
  const socket = join(folder, 'd.sock');
  const hostService = hostServiceOf(host);
  const hostHandler = new Dispatcher({
    find: (service) => (service === 'host' ? hostService : undefined),
    ctx: (facts) => ({ ...facts, log }),
  });
  undo.use(await serveGrpc(hostSocket, ['host'], hostHandler));
  chownSync(hostSocket, start.uid, start.uid);
  const token = randomBytes(32).toString('base64');
  const said = new Greeting(output);
  const launched = undo.use(
    await launch(
      {
        argv: programOf(dir, manifest),
        cwd: dir,
        env: environmentOf({ socket, hostSocket, token, instance, dataDir: host.dataDir, runDir: host.runDir }),
        onLine: said.onLine,
        ...confinement(start),
      },
      { signal },
    ),
  );
  const gaveUp = Promise.race([diedEarly(launched, output), aborted(signal)]);
  await Promise.race([said.heard, gaveUp]);
  const wire = await connected(connectGrpc(`unix://${socket}`, { connectTimeoutMs: 5_000, keepaliveMs: start.keepaliveMs }), gaveUp);
  undo.defer(() => wire.close());
  const service = remote<PluginService>(wire, 'plugin');
  await handshake(service, { manifest, token, instance, engineVersion, ctx: driverContext(log, signal) });
  const calls = undo.adopt(await sessionOr(wire, service, { handler: hostHandler, log, onLost: () => void launched.killAll() }), (opened) =>
    opened.close(),
  );
  const owned = undo.move();
  let killedBecause: string | undefined;
  const ended = launched.exited.then(async (exit): Promise<Ending> => {
    await owned.disposeAsync();
    return { reason: killedBecause ?? exitText(exit), isOom: exit.oomKilled };
  });
  return {
    ...linkOver(calls, remote<PluginService>(calls, 'plugin'), { log, settleMs: 30_000 }),
    pid: launched.pid,
    ended,
    usage: () => launched.usage(),
    async kill(reason) {
      killedBecause ??= reason;
      await launched.killAll();
      await ended;
    },
    async stop() {
      launched.closeStdin();
      const timer = setTimeout(() => void launched.killAll(), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

function makeFolder({ host, instance, uid }: ProcessStart): string {
  const folder = join(host.runDir, instance.slice(instance.lastIndexOf('.') + 1));
  const bytes = Buffer.byteLength(join(folder, 'd.sock'));
  if (bytes > 107)
    throw invalidArgument(`the socket of a plugin would have a path of ${bytes} bytes, and at most 107 work`, {
      hint: 'choose a shorter --exec-root',
    });
  rmSync(folder, { recursive: true, force: true });
  for (const path of [host.dataDir, host.runDir, folder]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(path, uid, uid);
  }
  return folder;
}

function confinement({ version: { dir, manifest }, instance, host, uid, cgroupParent }: ProcessStart) {
  return {
    name: manifest.name,
    instance,
    codeDir: dir,
    dataDir: host.dataDir,
    runDir: host.runDir,
    readablePaths: manifest.entry.node === undefined ? [] : readable(),
    uid,
    gid: uid,
    // The engine itself decides to whom it gives user 0: to whom it was granted, and to who had all of the engine's rights before.
    privileges: visible({ ...manifest.privileges, ...(uid === 0 ? { user: 'root' } : {}) }),
    resources: resourcesOf(manifest),
    cgroupParent,
  };
}

/** The engine's own code, with the packages around it, and this Node. */
function readable(): readonly string[] {
  const packages: string[] = [];
  for (let folder = ownFiles; folder !== '/'; folder = dirname(folder)) {
    const near = join(folder, 'node_modules');
    if (existsSync(near)) packages.push(near);
  }
  return [...new Set([ownFiles, ...packages, dirname(process.execPath)])];
}

/** "/" grants that anything may be described, which the engine then mounts; the plugin itself need not see the machine's files for that. */
function visible(privileges: Privileges): Privileges {
  return { ...privileges, hostPaths: (privileges.hostPaths ?? []).filter((path) => path !== '/') };
}

/** The first line on stdout says that it listens; everything else is output. */
class Greeting {
  readonly heard: Promise<void>;
  readonly onLine: (line: PluginLine) => void;

  constructor(output: Output) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.heard = promise;
    let isFirst = true;
    this.onLine = (line) => {
      if (line.source !== 'stdout' || !isFirst) return output.add(line);
      isFirst = false;
      if (isGreeting(line.line)) return resolve();
      output.add(line);
      reject(
        unavailable(`its first line on stdout is ${JSON.stringify(line.line.slice(0, 80))}, not "GANTRY-PLUGIN 1 {…}"`, {
          hint: 'print to stderr until the plugin listens',
          reason: 'BAD_GREETING',
        }),
      );
    };
  }
}

/** Whoever does not wait for the connection any more leaves none open. */
async function connected(wire: Promise<Wire>, gaveUp: Promise<never>): Promise<Wire> {
  try {
    return await Promise.race([wire, gaveUp]);
  } catch (error) {
    wire.then(
      (late) => late.close(),
      () => {},
    );
    throw error;
  }
}

export async function diedEarly(launched: Launched, output: Output): Promise<never> {
  const exit = await launched.exited;
  const last = lastWords(output.tail(40));
  throw unavailable(`it ended before it was ready: ${exitText(exit)}${last === '' ? '' : `; it printed: ${last}`}`);
}

/** The error that it died of, where the end of what it printed has one, without the stack around it. */
function lastWords(lines: readonly string[]): string {
  const fatal = lines.findLast((line) => /^(\w*Error|fatal|panic)\b.*: ?\S/.test(line));
  return fatal ?? lines.slice(-5).join('; ');
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

export function exitText({ exitCode, signal, oomKilled }: LaunchExit): string {
  if (oomKilled) return 'it used more memory than it may (killed by the kernel)';
  return signal === undefined ? `it exited with code ${exitCode}` : `it was ended by ${signal}`;
}
