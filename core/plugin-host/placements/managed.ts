import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, type DriverKind, invalidArgument, type Manifest, messageOf, unavailable } from '@gantry/sdk';
import { bindMount, isErrno, isMountPoint, setPropagation, umount2, unmountFlags } from '@gantry/sdk/linux';
import { methodsOf } from '../../drivers/index.ts';
import { launch, type Launched, type LaunchRequest } from '../../plugin-launch/index.ts';
import { appliedSettings, type DockerConfig, readDockerConfig } from '../../plugin-manifest/index.ts';
import type { HandedSocket, HandedSockets } from './handed-sockets.ts';
import type { Ending, Link, OfferedDriver } from './link.ts';
import { diedEarly, exitText, type ProcessStart } from './process.ts';
import { byteSize } from './sizes.ts';

export interface ManagedStart extends ProcessStart {
  readonly sockets: HandedSockets;
}

/**
 * A plugin of Docker's format: config.json and a root file system, in a container, its drivers over the socket that it opens. What it is run
 * with are its settings, so it is started when it gets them, and other ones need another start.
 */
export async function startManaged(start: ManagedStart): Promise<Link> {
  const ended = Promise.withResolvers<Ending>();
  let running: Running | undefined;
  const end = async (how: (launched: Launched) => Promise<void> | void): Promise<void> => {
    if (running === undefined) ended.resolve({ reason: 'it was not started' });
    else await how(running.launched);
    await ended.promise;
  };
  return {
    get pid(): number | undefined {
      return running?.launched.pid;
    },
    ended: ended.promise,
    async configure(settings) {
      if (running !== undefined) return { problems: [], drivers: running.drivers, needsRestart: true };
      running = await run(start, settings);
      void running.ended.then(ended.resolve);
      return { problems: [], drivers: running.drivers, needsRestart: false };
    },
    find: async () => undefined,
    names: async () => [],
    reconcile: nothing,
    selfTest: async () => [],
    ping: async () => {},
    usage: () => running?.launched.usage(),
    kill: () => end((launched) => launched.killAll()),
    stop: () =>
      end(async (launched) => {
        launched.signal('SIGTERM');
        const timer = setTimeout(() => void launched.killAll(), 10_000);
        await launched.exited;
        clearTimeout(timer);
      }),
  };
}

interface Running {
  readonly launched: Launched;
  readonly drivers: readonly OfferedDriver[];
  readonly ended: Promise<Ending>;
}

async function run(start: ManagedStart, settings: Readonly<Record<string, unknown>>): Promise<Running> {
  const { version, host, instance, output, signal, sockets } = start;
  const { manifest, dockerConfig } = version;
  const config = readDockerConfig(dockerConfig);
  await using undo = new AsyncDisposableStack();
  const folder = join(host.runDir, instance.slice(instance.lastIndexOf('.') + 1));
  const socket = join(folder, config.Interface.Socket);
  if (config.Interface.Socket.includes('/') || config.Interface.Socket === '')
    throw invalidArgument(`plugin ${manifest.name}: config.interface.socket must be the name of a file`);
  if (Buffer.byteLength(socket) > 107)
    throw invalidArgument(`the socket ${socket} of a plugin has more than 107 bytes`, { hint: 'choose a shorter --exec-root' });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const propagated = propagatedFolder(host.dataDir);
  if (config.PropagatedMount !== '') share(propagated);
  undo.defer(() => letGo(propagated));
  const applied = appliedSettings(dockerConfig, settings);
  const launched = undo.use(await launch(requestFor(start, { config, applied, folder, propagated }), { signal }));
  await Promise.race([listens(socket, signal), diedEarly(launched, output)]);
  const handed: HandedSocket = { socket, scopes: [...scopesOf(config, applied, propagated), ...logFolders(manifest, host.runDir)] };
  const name = manifest.provides[0]?.drivers[0] ?? manifest.name;
  await sockets.add(name, handed);
  undo.defer(() => sockets.remove(name, handed));
  const drivers: OfferedDriver[] = [];
  for (const { contract, drivers: names } of manifest.provides)
    for (const each of names)
      drivers.push({ contract, name: each, driver: losable(await sockets.driver(contract, each), contract, launched) });
  const owned = undo.move();
  const ended = launched.exited.then(async (exit): Promise<Ending> => {
    await owned.disposeAsync();
    return { reason: exitText(exit), isOom: exit.oomKilled };
  });
  return { launched, drivers, ended };
}

interface Facts {
  readonly config: DockerConfig;
  readonly applied: ReturnType<typeof appliedSettings>;
  readonly folder: string;
  readonly propagated: string;
}

/** An answer that did not come because the process ended, which is seen a moment later, is told as such: the call is made again at the next start. */
function losable(driver: object, contract: DriverKind, { exited }: Launched): object {
  const object = Object.create(driver) as Record<string, unknown>;
  for (const [method, { answer }] of Object.entries(methodsOf[contract])) {
    const call: unknown = Reflect.get(driver, method);
    if (typeof call !== 'function') continue;
    if (answer === 'stream') object[method] = (...given: readonly unknown[]) => Reflect.apply(call, driver, given) as unknown;
    else
      object[method] = async (...given: readonly unknown[]) => {
        try {
          return await (Reflect.apply(call, driver, given) as Promise<unknown>);
        } catch (error) {
          if (codeOf(error) !== 'unavailable') throw error;
          const isOver = await Promise.race([exited.then(() => true), sleep(200, false, { ref: false })]);
          if (!isOver) throw error;
          throw unavailable(messageOf(error), { reason: 'CONNECTION_LOST', cause: error });
        }
      };
  }
  return object;
}

/** What Docker's daemon runs such a plugin with. */
function requestFor(
  { version: { dir, manifest, digest }, instance, host, output, cgroupParent }: ManagedStart,
  { config, applied, folder, propagated }: Facts,
): LaunchRequest {
  const rootDir = join(dir, 'rootfs');
  const own = join(host.dataDir, 'rootfs', digest.replace(/^sha256:/, '').slice(0, 12) || 'none');
  const [upperDir, workDir] = [join(own, 'upper'), join(own, 'work')];
  for (const path of [upperDir, workDir]) mkdirSync(path, { recursive: true, mode: 0o755 });
  const env = Object.fromEntries(
    [`PATH=${defaultPath}`, ...applied.Env].map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
  const [program = '', ...given] = [...config.Entrypoint, ...applied.Args];
  const { memory = '1GiB', pids = 1_000, cpu } = manifest.resources ?? {};
  const privileges = manifest.privileges ?? {};
  const cwd = config.WorkDir === '' ? '/' : config.WorkDir;
  const logging = logFolders(manifest, host.runDir);
  return {
    name: manifest.name,
    instance,
    argv: [found(program, rootDir, env['PATH'] ?? defaultPath), ...given],
    cwd: host.dataDir,
    env,
    codeDir: dir,
    dataDir: host.dataDir,
    runDir: host.runDir,
    uid: 0,
    gid: 0,
    privileges: { ...privileges, hostPaths: [], devices: [], capabilities: [...dockersCapabilities, ...(privileges.capabilities ?? [])] },
    resources: { memoryBytes: byteSize(memory), pids, ...(cpu === undefined ? {} : { cpus: Number(cpu) }) },
    cgroupParent,
    onLine: output.add,
    container: {
      rootDir,
      upperDir,
      workDir,
      cwd,
      devices: applied.Devices.flatMap(({ Path = '' }) => (Path === '' ? [] : [Path])),
      allDevices: config.Linux.AllowAllDevices,
      hasMachinesNames: config.Network.Type === 'host',
      mounts: [
        ...applied.Mounts.flatMap(({ Source = '', Destination, Type, Options }) => {
          if (Type === 'tmpfs') return [{ target: Destination, readOnly: false, propagates: false }];
          if (Source === '') return [];
          const propagates = Options.some((option) => option === 'rshared' || option === 'shared');
          return [{ source: Source, target: Destination, readOnly: Options.includes('ro'), propagates }];
        }),
        ...(config.PropagatedMount === ''
          ? []
          : [{ source: propagated, target: config.PropagatedMount, readOnly: false, propagates: true }]),
        { source: folder, target: '/run/docker/plugins', readOnly: false, propagates: false },
        ...logging.map(({ inside, host: source }) => ({ source, target: inside, readOnly: false, propagates: false })),
      ],
    },
  };
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const dockersCapabilities = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** A bare name is looked for as a shell would, in the plugin's own file system. */
function found(program: string, rootDir: string, path: string): string {
  if (program.includes('/')) return program.startsWith('/') ? program : `/${program}`;
  const folder = path.split(':').find((each) => each.startsWith('/') && existsSync(join(rootDir, each, program)));
  return join(folder ?? '/', program);
}

/** Paths that it answers, as paths of the machine. */
function scopesOf({ PropagatedMount }: DockerConfig, { Mounts }: Facts['applied'], propagated: string): HandedSocket['scopes'] {
  const binds = Mounts.flatMap(({ Source = '', Destination, Type }) =>
    Source === '' || Type === 'tmpfs' ? [] : [{ inside: Destination, host: Source }],
  );
  return [...(PropagatedMount === '' ? [] : [{ inside: PropagatedMount, host: propagated }]), ...binds];
}

/** Where pipes for a log plugin are made: Docker's place for the plugin, and on this machine one of its own, so that it sees no other's. */
function logFolders({ provides }: Manifest, runDir: string): HandedSocket['scopes'] {
  if (!provides.some(({ contract }) => contract === 'log')) return [];
  const folder = join(runDir, 'logging');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return [{ inside: '/run/docker/logging', host: folder }];
}

export const propagatedFolder = (dataDir: string): string => join(dataDir, 'propagated-mount');

/** What the plugin mounts in it is seen by the machine: that needs a mount of its own, which is shared. */
function share(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (isMountPoint(folder)) return;
  bindMount(folder, folder);
  setPropagation(folder, 'shared');
}

/** Unless mounts are left in it, which volumes of running containers are; the next start finds them there. */
function letGo(folder: string): void {
  try {
    if (existsSync(folder) && isMountPoint(folder)) umount2(folder);
  } catch (error) {
    if (!isErrno(error, 'EBUSY')) throw error;
  }
}

/** With all that is mounted in it: for a plugin that is removed. */
export function unmountPropagated(dataDir: string): void {
  const folder = propagatedFolder(dataDir);
  if (existsSync(folder) && isMountPoint(folder)) umount2(folder, unmountFlags.detach);
}

async function listens(socket: string, signal: AbortSignal): Promise<void> {
  while (statSync(socket, { throwIfNoEntry: false })?.isSocket() !== true) {
    try {
      await sleep(10, undefined, { signal });
    } catch (error) {
      throw unavailable(`it did not listen at /run/docker/plugins/${socket.slice(socket.lastIndexOf('/') + 1)}`, { cause: error });
    }
  }
}

async function* nothing(): AsyncIterable<never> {}
