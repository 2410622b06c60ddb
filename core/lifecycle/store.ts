import { conflict, invalidArgument, notFound } from '@gantry/sdk';
import type { Container } from '@gantry/sdk/engine';
import type { ContainerRows } from '../metadata/index.ts';
import { Entry } from './entry.ts';
import { type ContainerDocument, initialState, type StateDocument } from './model.ts';
import { hasRestartPolicy } from './restart-policy.ts';

/** What the end of a removal needs. */
export interface Removal {
  readonly name: string;
  readonly document: ContainerDocument;
  readonly withVolumes: boolean;
}
export type Rows = ContainerRows<ContainerDocument, StateDocument, Removal>;

/** All containers in memory and on disk. Reading never waits; every change is written before it is seen. */
export class Store {
  readonly #rows: Rows;
  readonly #render: (entry: Entry) => Container;
  readonly #entries = new Map<string, Entry>();
  readonly #names = new Map<string, string>();
  #sorted: readonly Entry[] | undefined;
  #revision = 0;

  constructor(rows: Rows, render: (entry: Entry) => Container) {
    this.#rows = rows;
    this.#render = render;
  }

  get revision(): number {
    return this.#revision;
  }

  load(): void {
    for (const { id, name, document, state } of this.#rows.all()) this.#add(new Entry(id, name, document, state));
  }

  /** Newest first. */
  all(): readonly Entry[] {
    this.#sorted ??= [...this.#entries.values()].toSorted((a, b) => compare(b.document.created, a.document.created) || compare(a.id, b.id));
    return this.#sorted;
  }

  /** By full id, name with or without a slash, or unique prefix of an id, in this order. */
  find(reference: string): Entry {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    const exact = this.#entries.get(reference) ?? this.#entries.get(this.#names.get(name) ?? '');
    if (exact !== undefined) return exact;
    const found = /^[0-9a-f]+$/.test(reference) ? this.all().filter(({ id }) => id.startsWith(reference)) : [];
    if (found.length > 1) throw invalidArgument(`multiple IDs found with provided prefix: ${reference}`);
    const [only] = found;
    if (only === undefined) throw notFound(`No such container: ${reference}`);
    return only;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  isTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** Keeps the name for a container that is being made. `conflict` in Docker's words when it is taken; dispose gives it back unless kept. */
  reserve(name: string, id: string): Disposable {
    const owner = this.#names.get(name);
    if (owner !== undefined) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.#names.set(name, id);
    return {
      [Symbol.dispose]: () => {
        if (this.#entries.get(id)?.name !== name && this.#names.get(name) === id) this.#names.delete(name);
      },
    };
  }

  view(entry: Entry): Container {
    entry.view ??= this.#render(entry);
    return entry.view;
  }

  insert(id: string, name: string, document: ContainerDocument): Entry {
    this.#rows.insert({ id, name, document, state: initialState });
    const entry = new Entry(id, name, document, initialState);
    this.#add(entry);
    return entry;
  }

  setState(entry: Entry, changes: Partial<StateDocument>): void {
    const state = { ...entry.state, ...changes };
    if (this.#entries.has(entry.id)) this.#rows.putState(entry.id, state, { isDurable: decidesNextBoot(entry, state) });
    entry.state = state;
    this.touch(entry);
  }

  setDocument(entry: Entry, changes: Partial<ContainerDocument>): void {
    const document = { ...entry.document, ...changes };
    this.#rows.putDecision({ id: entry.id, name: entry.name, document });
    entry.document = document;
    this.touch(entry);
  }

  /** As `setDocument`: it counts when the call returns, and is durable when it resolves. */
  async setDocumentAside(entry: Entry, changes: Partial<ContainerDocument>): Promise<void> {
    const document = { ...entry.document, ...changes };
    const lasting = this.#rows.putDecisionAside({ id: entry.id, name: entry.name, document });
    entry.document = document;
    this.touch(entry);
    await lasting;
  }

  rename(entry: Entry, name: string): void {
    this.#rows.putDecision({ id: entry.id, name, document: entry.document });
    this.#names.delete(entry.name);
    entry.name = name;
    this.#names.set(name, entry.id);
    this.touch(entry);
  }

  /** From here it is not found any more. */
  remove(entry: Entry, { withVolumes }: { readonly withVolumes: boolean }): void {
    const { id, name, document } = entry;
    this.#rows.beginRemoval({ id, document: { name, document, withVolumes } });
    this.#entries.delete(entry.id);
    this.#names.delete(entry.name);
    this.#sorted = undefined;
    this.#revision += 1;
  }

  /** Something that inspect shows has changed. */
  touch(entry: Entry): void {
    entry.view = undefined;
    this.#revision += 1;
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.#names.set(entry.name, entry.id);
    this.#sorted = undefined;
    this.#revision += 1;
  }
}

/** Whether a restart policy will ask, after a power cut too: that it was started, or stopped by a user. */
function decidesNextBoot({ document, state: before }: Entry, after: StateDocument): boolean {
  if (!hasRestartPolicy(document.hostConfig.RestartPolicy ?? {})) return false;
  const wasAskedFor = before.phase.kind === 'starting' && before.phase.from !== 'restarting';
  return before.stoppedByUser !== after.stoppedByUser || (wasAskedFor && after.phase.kind === 'running');
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));
