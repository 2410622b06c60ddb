import type { VolumeAttachmentRow } from '../metadata/index.ts';

type Row = VolumeAttachmentRow<{ readonly broken?: string }>;
const none: ReadonlyMap<string, string> = new Map();

/** Containers that do not see a volume any more, with why; in memory, since every list of containers asks. */
export class BrokenViews {
  readonly #byContainer = new Map<string, Map<string, string>>();

  constructor(rows: readonly Row[]) {
    for (const row of rows) this.note(row);
  }

  /** A row that is not broken takes back what was noted of it. */
  note({ containerId, name, document: { broken } }: Row): void {
    if (broken === undefined) return this.forget(containerId, name);
    const names = this.#byContainer.get(containerId) ?? new Map<string, string>();
    this.#byContainer.set(containerId, names.set(name, broken));
  }

  forget(containerId: string, name: string): void {
    const names = this.#byContainer.get(containerId);
    names?.delete(name);
    if (names?.size === 0) this.#byContainer.delete(containerId);
  }

  /** By volume. */
  of(containerId: string): ReadonlyMap<string, string> {
    return this.#byContainer.get(containerId) ?? none;
  }

  /** By container. */
  in(name: string): ReadonlyMap<string, string> {
    return new Map([...this.#byContainer].flatMap(([id, names]) => (names.has(name) ? [[id, names.get(name) ?? ''] as const] : [])));
  }
}
