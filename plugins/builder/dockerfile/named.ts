import { notFound } from '@gantry/sdk';
import type { BuildTree, NamedSource } from '@gantry/sdk/engine';
import { ignoredIn, openFolder } from './folders.ts';
import type { DockerfileRequest } from './job.ts';
import { openSource } from './remote.ts';

export type NamedContext =
  /** A reference, or an id. */
  { readonly kind: 'image'; reference(): Promise<string> } | { readonly kind: 'files'; open(): Promise<NamedFiles> };
export interface NamedFiles {
  readonly tree: BuildTree;
  readonly excluded: readonly string[];
}

/** What `--build-context` names. Files are fetched when a step first wants them, and gone when this is disposed. */
export class NamedContexts implements AsyncDisposable {
  readonly #request: DockerfileRequest;
  readonly #signal: AbortSignal;
  readonly #sources: ReadonlyMap<string, NamedSource>;
  readonly #files = new Map<string, Promise<NamedFiles>>();
  readonly #images = new Map<string, Promise<string>>();
  readonly #opened = new AsyncDisposableStack();

  constructor(request: DockerfileRequest, signal: AbortSignal) {
    this.#request = request;
    this.#signal = signal;
    this.#sources = new Map(Object.entries(request.contexts ?? {}).map(([name, source]) => [nameOf(name), source]));
  }

  find(word: string): NamedContext | undefined {
    const name = nameOf(word);
    const source = this.#sources.get(name);
    if (source === undefined) return undefined;
    if (source.kind === 'image') return { kind: 'image', reference: async () => source.reference };
    if (source.kind === 'layout') return { kind: 'image', reference: () => this.#imageOf(name, source) };
    return {
      kind: 'files',
      open: () => {
        const known = this.#files.get(name) ?? this.#open(name, source);
        this.#files.set(name, known);
        return known;
      },
    };
  }

  #imageOf(name: string, { files }: Extract<NamedSource, { readonly kind: 'layout' }>): Promise<string> {
    const known = this.#images.get(name) ?? this.#request.engine.builds.loadLayout(files(), { signal: this.#signal }).then(({ id }) => id);
    this.#images.set(name, known);
    return known;
  }

  async #open(name: string, source: Extract<NamedSource, { readonly kind: 'folder' | 'remote' }>): Promise<NamedFiles> {
    if (source.kind === 'folder') {
      const folder = this.#opened.use(await openFolder(this.#request, source.files, { signal: this.#signal }));
      return { tree: await folder.tree(), excluded: folder.excluded };
    }
    const found = await openSource(this.#request, source, this.#signal);
    if (found.kind !== 'tree') throw notFound(`build context ${name}: there is no archive at ${source.url}`);
    return { tree: this.#opened.use(found.tree), excluded: await ignoredIn(found.tree) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#files.values(), ...this.#images.values()]);
    await this.#opened.disposeAsync();
  }
}

/** An image is known by its short name and by its whole one. */
function nameOf(word: string): string {
  return word
    .toLowerCase()
    .replace(/^docker\.io\/(?:library\/)?/, '')
    .replace(/:latest$/, '');
}
