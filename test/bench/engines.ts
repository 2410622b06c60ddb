import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Api } from '../support/clients/api.ts';
import { Daemon } from '../support/engine/daemon.ts';
import type { DaemonOptions } from '../support/engine/daemon.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import type { Scenario } from './scenarios.ts';

/** What scenarios use of a running engine. One that was not started here has no pid, and no start to measure. */
export type Engine = Pick<Daemon, 'api'> & Partial<Pick<Daemon, 'pid' | 'startedMs'>> & AsyncDisposable;

/** An engine to measure: how to start it in a folder of its own. */
export interface EngineUnderTest {
  readonly name: string;
  readonly start: (folder: string) => Promise<Engine>;
  /** What it can be asked for here; default: all. */
  readonly measures?: (scenario: Scenario) => boolean;
}

export const gantry: EngineUnderTest = { name: 'gantry', start: (folder) => Daemon.start({ folder }) };

type Command = NonNullable<DaemonOptions['command']>;

/** What starts an engine, after its program. */
const peers: Readonly<Record<string, Command>> = {
  dockerd: ({ dataRoot, execRoot, socketPath }) => [
    '--data-root',
    dataRoot,
    '--exec-root',
    execRoot,
    '--pidfile',
    `${execRoot}.pid`,
    '--host',
    `unix://${socketPath}`,
  ],
  podman: ({ dataRoot, execRoot, socketPath }) => [
    ...podmanPlaces(dataRoot, execRoot),
    'system',
    'service',
    '--time',
    '0',
    `unix://${socketPath}`,
  ],
};

/** Other engines on this machine; they start in the same namespaces and on the same disk as ours. */
export function peersFound(): readonly EngineUnderTest[] {
  return Object.entries(peers).flatMap(([name, flags]) => {
    const program = ['/usr/bin', '/usr/sbin'].map((folder) => join(folder, name)).find((path) => existsSync(path));
    if (program === undefined) return [];
    return [{ name, start: (folder) => Daemon.start({ folder, env: peerEnv(folder), command: (places) => [program, ...flags(places)] }) }];
  });
}

/** Docker's daemon of the next Debian, in a root of its own, on the disk that is measured; without networks. */
export function housedDockerd(): EngineUnderTest {
  let house: DockerdHouse | undefined;
  const start = async (folder: string): Promise<Engine> => {
    house ??= await DockerdHouse.open({ binds: [dirname(folder)] });
    return house.start({ folder, flags: ['--storage-driver=overlay2'] });
  };
  return { name: 'dockerd', start, measures: ({ versus }) => versus !== undefined };
}

/** Podman speaks TLS to every registry that its configuration does not name. */
function peerEnv(folder: string): Readonly<Record<string, string>> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'registries.conf');
  writeFileSync(path, '[[registry]]\nprefix = "127.0.0.1"\nlocation = "127.0.0.1"\ninsecure = true\n');
  return { CONTAINERS_REGISTRIES_CONF: path };
}

function podmanPlaces(dataRoot: string, execRoot: string): readonly string[] {
  return ['--root', dataRoot, '--runroot', execRoot, '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
}

/** An engine that runs already: `name=/path/to.sock`. */
export function attached(given: string): EngineUnderTest {
  const [name = '', socketPath = ''] = given.split('=');
  if (!existsSync(socketPath)) throw new Error(`--peer ${given}: no socket ${socketPath} here (the benchmark has a /run of its own)`);
  const api = new Api(socketPath);
  return { name, start: async () => ({ api, [Symbol.asyncDispose]: async () => api[Symbol.dispose]() }) };
}
