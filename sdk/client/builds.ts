import type { BuildRecord, Progress } from '../engine/index.ts';
import type { Abortable } from '../types/index.ts';
import { type Http, segment } from './http.ts';
import { messages } from './messages.ts';

const own = '/gantry/v1/builds';

/** Builds that run and that ran, on Gantry's own paths. A build is named by its id or a beginning of it that no other has. */
export class Builds {
  readonly #http: Http;
  constructor(http: Http) {
    this.#http = http;
  }

  /** The latest first. */
  async list(): Promise<readonly BuildRecord[]> {
    return await this.#http.json('GET', own, { unversioned: true });
  }

  async inspect(build: string): Promise<BuildRecord> {
    return await this.#http.json('GET', `${own}/${segment(build)}/json`, { unversioned: true });
  }

  /** What it told; throws what was wrong with it at the end. Of one that runs, until it ends. */
  async *logs(build: string, { signal }: Abortable = {}): AsyncGenerator<Progress> {
    yield* messages(await this.#http.stream('GET', `${own}/${segment(build)}/logs`, { unversioned: true, signal }));
  }

  /** Keeps it for longer than others, or no longer. */
  async keep(build: string, isKept: boolean): Promise<void> {
    await this.#http.done('POST', `${own}/${segment(build)}/keep`, { query: { keep: isKept }, unversioned: true });
  }

  /** Its image stays. */
  async remove(build: string): Promise<void> {
    await this.#http.done('DELETE', `${own}/${segment(build)}`, { unversioned: true });
  }
}
