import { codeOf, invalidArgument } from '@gantry/sdk';
import type { Abortable } from '@gantry/sdk';
import type {
  Attached,
  AttachOptions,
  CommitContainer,
  Container,
  Containers,
  CreateContainer,
  Filtered,
  ListContainers,
  LogQuery,
  LogStream,
  TopResult,
  UpdateContainer,
  WaitCondition,
  Waiting,
} from '@gantry/sdk/engine';
import { commitContainer } from './commit.ts';
import { createContainer } from './create/create.ts';
import type { Entry } from './entry.ts';
import { ContainerFiles } from './files.ts';
import { attach } from './io/attach.ts';
import { resizeTerminal } from './io/resize.ts';
import { listContainers } from './look/list.ts';
import { readLogs } from './look/logs.ts';
import { readStats } from './look/stats.ts';
import { topOf } from './look/top.ts';
import { pruneContainers } from './remove/prune.ts';
import { type RemoveOptions, removeContainer } from './remove/remove.ts';
import type { Room } from './room.ts';
import { startContainer } from './start/start.ts';
import { killContainer } from './stop/kill.ts';
import { pauseContainer, unpauseContainer } from './stop/pause.ts';
import { restartContainer, type StopOptions, stopContainer } from './stop/stop.ts';
import { waitForEnd } from './stop/wait.ts';
import { renameContainer, updateContainer } from './update.ts';
import { parseDetachKeys } from './io/detach-keys.ts';

/** The engine's containers, one line per verb; what each promises is said in the contract. */
export class LiveContainers implements Containers {
  readonly #room: Room;
  readonly #files: ContainerFiles;

  constructor(room: Room) {
    this.#room = room;
    this.#files = new ContainerFiles(room);
  }

  get revision(): number {
    return this.#room.store.revision;
  }

  create(request: CreateContainer): ReturnType<Containers['create']> {
    return createContainer(this.#room, request);
  }

  list(request: ListContainers): readonly Container[] {
    return listContainers(this.#room, request);
  }

  inspect(container: string): Container {
    return this.#room.store.view(this.#find(container));
  }

  start(container: string, { detachKeys, signal }: { readonly detachKeys?: string } & Abortable = {}): Promise<void> {
    return this.#with(container, (entry) => {
      parseDetachKeys(detachKeys);
      return startContainer(this.#room, entry, { signal });
    });
  }

  stop(container: string, options?: StopOptions): Promise<void> {
    return this.#with(container, (entry) => stopContainer(this.#room, entry, options));
  }

  restart(container: string, options: StopOptions = {}): Promise<void> {
    return this.#with(container, (entry) => restartContainer(this.#room, entry, options, () => startContainer(this.#room, entry)));
  }

  kill(container: string, { signal }: { readonly signal?: string } = {}): Promise<void> {
    return killContainer(this.#room, container, signal);
  }

  pause(container: string): Promise<void> {
    return this.#with(container, (entry) => pauseContainer(this.#room, entry));
  }

  unpause(container: string): Promise<void> {
    return this.#with(container, (entry) => unpauseContainer(this.#room, entry));
  }

  rename(container: string, name: string): Promise<void> {
    return this.#with(container, (entry) => renameContainer(this.#room, entry, name));
  }

  update(container: string, request: UpdateContainer): ReturnType<Containers['update']> {
    return this.#with(container, (entry) => updateContainer(this.#room, entry, request));
  }

  remove(container: string, { link = false, ...options }: RemoveOptions & { readonly link?: boolean } = {}): Promise<void> {
    return this.#with(container, (entry) => {
      if (link) throw invalidArgument('links cannot be removed apart from their container');
      return removeContainer(this.#room, entry, options);
    });
  }

  prune({ filters }: Filtered): ReturnType<Containers['prune']> {
    return pruneContainers(this.#room, filters);
  }

  wait(container: string, condition: WaitCondition, { signal }: Abortable = {}): Waiting {
    return waitForEnd(this.#find(container), condition, signal);
  }

  attach(container: string, options: AttachOptions): Promise<Attached> {
    return this.#with(container, (entry) => attach(this.#room, entry, options));
  }

  resize(container: string, { rows, columns }: { readonly rows: number; readonly columns: number }): Promise<void> {
    return this.#with(container, (entry) => resizeTerminal(this.#room, entry, { rows, columns }));
  }

  logs(container: string, query: LogQuery): Promise<LogStream> {
    return this.#with(container, (entry) => readLogs(this.#room, entry, query));
  }

  top(container: string, psArguments?: string): Promise<TopResult> {
    return this.#with(container, (entry) => topOf(this.#room, entry, psArguments));
  }

  stats(container: string, options: { readonly withPrevious: boolean } & Abortable): ReturnType<Containers['stats']> {
    return this.#with(container, (entry) => readStats(this.#room, entry, options));
  }

  size(container: string): ReturnType<Containers['size']> {
    return this.#with(container, (entry) => this.#files.size(entry));
  }

  async sizes(containers: readonly Container[]): ReturnType<Containers['sizes']> {
    const sized = containers.map(async (container) => {
      try {
        return [{ container, size: await this.size(container.id) }];
      } catch (error) {
        if (codeOf(error) === 'not_found') return []; // removed meanwhile
        throw error;
      }
    });
    return (await Promise.all(sized)).flat();
  }

  changes(container: string): ReturnType<Containers['changes']> {
    return this.#with(container, (entry) => this.#files.changes(entry));
  }

  export(container: string, options?: Abortable): ReturnType<Containers['export']> {
    return this.#with(container, (entry) => this.#files.export(entry, options));
  }

  statPath(container: string, path: string): ReturnType<Containers['statPath']> {
    return this.#with(container, (entry) => this.#files.stat(entry, path));
  }

  getArchive(container: string, path: string, options?: Abortable): ReturnType<Containers['getArchive']> {
    return this.#with(container, (entry) => this.#files.get(entry, path, options));
  }

  putArchive(...[container, path, tar, options]: Parameters<Containers['putArchive']>): Promise<void> {
    return this.#with(container, (entry) => this.#files.put(entry, path, tar, options));
  }

  commit(request: CommitContainer): ReturnType<Containers['commit']> {
    return this.#with(request.container, (entry) => commitContainer(this.#room, entry, request));
  }

  #find(container: string): Entry {
    return this.#room.store.find(container);
  }

  /** What is wrong at once rejects, too. */
  #with<T>(container: string, work: (entry: Entry) => T | Promise<T>): Promise<T> {
    return Promise.try(() => work(this.#find(container)));
  }
}
