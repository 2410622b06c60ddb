import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled, conflict, GantryError, invalidArgument, notFound } from '@gantry/sdk';
import type { Container, Containers, LogLine, LogQuery, PathStat, StatsReading } from '@gantry/sdk/engine';
import type { EventBus } from '../../../../core/events/index.ts';
import { MemoryContainer } from './container.ts';
import type { MemoryImages } from './images.ts';

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const filterKeys = new Set(['name', 'id', 'status', 'label', 'ancestor', 'until']);

/** Containers that live in memory. They know the programs of process.ts. */
export class MemoryContainers implements Containers {
  readonly #all = new Map<string, MemoryContainer>();
  readonly #events: EventBus;
  readonly #images: MemoryImages;
  revision = 0;

  constructor(events: EventBus, images: MemoryImages) {
    this.#events = events;
    this.#images = images;
  }

  find(text: string): MemoryContainer {
    const wanted = text.replace(/^\//, '');
    const byName = [...this.#all.values()].find(({ document }) => document.name === wanted);
    const prefixed = wanted === '' ? [] : [...this.#all.values()].filter(({ document }) => document.id.startsWith(wanted));
    const found = this.#all.get(wanted) ?? byName ?? prefixed[0];
    if (found === undefined) throw notFound(`No such container: ${text}`);
    if (found === prefixed[0] && prefixed.length > 1) throw invalidArgument(`multiple IDs found with provided prefix: ${text}`);
    return found;
  }

  running(text: string): MemoryContainer {
    const container = this.find(text);
    if (!container.document.state.running) throw conflict(`container ${container.document.id} is not running`);
    return container;
  }

  create: Containers['create'] = async (request) => {
    if (request.name !== undefined) this.#checkName(request.name);
    const image = this.#images.inspect(request.config.Image ?? '');
    const command = [...(request.config.Entrypoint ?? []), ...(request.config.Cmd ?? [])];
    if (command.length === 0) throw invalidArgument('no command specified');
    const container: MemoryContainer = new MemoryContainer(request, image.id, {
      changed: () => void this.revision++,
      event: (action, attributes = {}) => {
        const { id, name, config } = container.document;
        this.#events.publish('container', action, id, { ...config.Labels, ...attributes, image: config.Image ?? '', name });
      },
      removeSelf: () => void this.remove(container.document.id),
    });
    this.#all.set(container.document.id, container);
    this.revision++;
    this.#events.publish('container', 'create', container.document.id, {
      image: request.config.Image ?? '',
      name: container.document.name,
    });
    return { id: container.document.id, warnings: [] };
  };

  list: Containers['list'] = ({ all = false, limit, filters = {} }) => {
    for (const key of Object.keys(filters)) if (!filterKeys.has(key)) throw invalidArgument(`invalid filter '${key}'`);
    const has = (key: string, test: (value: string) => boolean) => (filters[key] ?? []).length === 0 || (filters[key] ?? []).some(test);
    const documents = [...this.#all.values()].map(({ document }) => document).toReversed();
    const matching = documents.filter(
      ({ id, name, state, config }) =>
        (all || limit !== undefined || state.running || filters['status'] !== undefined) &&
        has('name', (value) => name.includes(value)) &&
        has('id', (value) => id.startsWith(value)) &&
        has('status', (value) => state.status === value) &&
        has('label', (value) => {
          const [key = '', wanted] = value.split('=');
          const label = config.Labels?.[key];
          return wanted === undefined ? label !== undefined : label === wanted;
        }),
    );
    return limit === undefined ? matching : matching.slice(0, limit);
  };

  inspect(text: string): Container {
    return this.find(text).document;
  }

  sizes: Containers['sizes'] = async (containers) =>
    Promise.all(containers.map(async (container) => ({ container, size: await this.size(container.id) })));

  size: Containers['size'] = async (text) => {
    this.find(text);
    return { rw: 17, rootFs: 4_711 };
  };

  start: Containers['start'] = async (text) => this.find(text).start();

  stop: Containers['stop'] = (text) => this.find(text).stop(constants.signals.SIGTERM);

  restart: Containers['restart'] = async (text) => {
    const container = this.find(text);
    if (container.document.state.running) await container.stop(constants.signals.SIGTERM);
    container.start();
  };

  kill: Containers['kill'] = async (text, { signal = 'SIGKILL' } = {}) => {
    const container = this.find(text);
    const names = constants.signals as Readonly<Record<string, number>>;
    const number = /^\d+$/.test(signal) ? Number(signal) : names[`SIG${signal.replace(/^SIG/, '')}`];
    if (number === undefined) throw invalidArgument(`invalid signal: ${signal}`);
    container.kill(number);
  };

  pause: Containers['pause'] = async (text) => {
    const container = this.running(text);
    container.setState({ ...container.document.state, status: 'paused', paused: true });
  };

  unpause: Containers['unpause'] = async (text) => {
    const container = this.running(text);
    container.setState({ ...container.document.state, status: 'running', paused: false });
  };

  rename: Containers['rename'] = async (text, name) => {
    this.#checkName(name);
    this.find(text).update({ name });
  };

  update: Containers['update'] = async (text, { RestartPolicy, ...resources }) => {
    const container = this.find(text);
    const hostConfig = { ...container.document.hostConfig, ...resources, ...(RestartPolicy && { RestartPolicy }) };
    container.update({ hostConfig });
    return { warnings: [] };
  };

  remove: Containers['remove'] = async (text, { force = false } = {}) => {
    const container = this.find(text);
    const { id, state } = container.document;
    if (state.running && !force) {
      throw conflict(`cannot remove container "${id}": container is running: stop the container before removing or force remove`);
    }
    if (state.running) await container.stop(constants.signals.SIGKILL);
    this.#all.delete(id);
    this.revision++;
    container.removed();
  };

  prune: Containers['prune'] = async () => {
    const stopped = [...this.#all.keys()].filter((id) => !this.inspect(id).state.running);
    for (const id of stopped) await this.remove(id);
    return { deleted: stopped, spaceReclaimed: 0 };
  };

  wait: Containers['wait'] = (text, condition, { signal } = {}) => {
    const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(cancelled('nobody waits any more'))));
    return { result: Promise.race([this.find(text).wait(condition), aborted]) };
  };

  attach: Containers['attach'] = async (text, options) => this.find(text).attach(options);

  resize: Containers['resize'] = async (text, size) => void (this.running(text).size = size);

  logs: Containers['logs'] = async (text, query) => {
    const container = this.find(text);
    return { tty: container.document.config.Tty ?? false, attributes: {}, lines: linesOf(container, query) };
  };

  top: Containers['top'] = async (text) => {
    const { path, args } = this.running(text).document;
    return { titles: ['PID', 'CMD'], processes: [['4242', [path, ...args].join(' ')]] };
  };

  stats: Containers['stats'] = async (text, { withPrevious, signal }) => {
    const { document } = this.find(text);
    if (!document.state.running) return undefined;
    if (withPrevious) await sleep(10, undefined, { signal });
    return reading(document, withPrevious);
  };

  changes: Containers['changes'] = async (text) => [...this.find(text).files.keys()].map((path) => ({ path, kind: 'added' }));

  export: Containers['export'] = async (text) => once(Buffer.concat([...this.find(text).files.values()]));

  statPath: Containers['statPath'] = async (text, path) => {
    const file = this.find(text).files.get(path);
    if (file === undefined && path !== '/') throw notFound(`Could not find the file ${path} in container ${text}`);
    return path === '/' ? { ...statOf(path, 0), name: '/', mode: goDirectory } : statOf(path, file?.length ?? 0);
  };

  getArchive: Containers['getArchive'] = async (text, path) => ({
    stat: await this.statPath(text, path),
    tar: once(this.find(text).files.get(path) ?? Buffer.alloc(1_024)),
  });

  /** Keeps the archive as it came, under the path it was sent to. */
  putArchive: Containers['putArchive'] = async (text, path, tar) => {
    const container = this.find(text);
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk);
    container.files.set(path, Buffer.concat(chunks));
  };

  commit: Containers['commit'] = async ({ container, reference }) => {
    const { config } = this.inspect(container);
    return { id: this.#images.add({ config, references: reference === undefined ? [] : [reference] }) };
  };

  #checkName(name: string): void {
    if (!namePattern.test(name)) {
      throw invalidArgument(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const other = [...this.#all.values()].find(({ document }) => document.name === name);
    if (other !== undefined) {
      throw new GantryError(
        'already_exists',
        `Conflict. The container name "/${name}" is already in use by container "${other.document.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
  }
}

async function* linesOf(container: MemoryContainer, { follow, stdout, stderr, tail, signal }: LogQuery): AsyncIterable<readonly LogLine[]> {
  const wanted = { stdout, stderr };
  let next = 0;
  for (;;) {
    const batch = container.lines.slice(next).filter(({ source }) => wanted[source]);
    const isFirst = next === 0;
    next = container.lines.length;
    if (batch.length > 0) yield isFirst && tail !== undefined ? batch.slice(batch.length - Math.min(tail, batch.length)) : batch;
    if (follow !== true || signal?.aborted === true) return;
    if (!container.document.state.running && next === container.lines.length) return;
    if (next === container.lines.length) await container.changed(signal);
  }
}

/** fs.ModeDir | 0o755 of Go. */
const goDirectory = 0x8000_0000 + 0o755;

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

function statOf(path: string, size: number): PathStat {
  return { name: path.split('/').at(-1) ?? '', size, mode: 0o644, mtime: '2026-01-01T00:00:00Z', linkTarget: '' };
}

function reading({ id, name }: Container, withPrevious: boolean): StatsReading {
  const stats = {
    readAt: new Date(),
    cgroupVersion: 2 as const,
    cpu: { totalNs: 2e9, userNs: 1e9, systemNs: 1e9, periods: 0, throttledPeriods: 0, throttledNs: 0 },
    memory: { usageBytes: 1_048_576, stat: { inactive_file: 48_576 } },
    pids: { current: 1 },
    blockIo: [{ major: 8, minor: 0, op: 'read', bytes: 4_096 }],
  };
  const eth0 = { rxBytes: 1, rxPackets: 1, rxErrors: 0, rxDropped: 0, txBytes: 2, txPackets: 1, txErrors: 0, txDropped: 0 };
  return {
    ...stats,
    id,
    name,
    ...(withPrevious ? { previous: { ...stats, cpu: { ...stats.cpu, totalNs: 1e9 } } } : {}),
    systemCpuNs: 20e9,
    previousSystemCpuNs: 10e9,
    onlineCpus: 2,
    networks: { eth0 },
  };
}
