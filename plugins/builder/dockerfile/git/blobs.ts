import { invalidArgument } from '@gantry/sdk';
import { type Git, startGit } from './git.ts';

/** Contents of a repository's blobs, one after the other, by one `git cat-file --batch`. */
export class BlobReader implements AsyncDisposable {
  readonly #git: ReturnType<typeof startGit>;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(git: Git) {
    this.#git = startGit(git, ['cat-file', '--batch']);
    this.#chunks = (this.#git.child.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** Must be read to its end before the next is asked for. */
  async *read(object: string): AsyncIterable<Buffer> {
    this.#git.child.stdin.write(`${object}\n`);
    const head = await this.#line();
    const [, size] = /^[0-9a-f]+ blob (\d+)$/.exec(head) ?? [];
    if (size === undefined) throw invalidArgument(`the repository has no file ${object}: ${head.slice(0, 100)}`);
    // Behind the content stands the end of a line.
    for (let left = Number(size) + 1; left > 0; ) {
      if (this.#rest.length === 0) await this.#more();
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      const content = left === 0 ? part.subarray(0, -1) : part;
      if (content.length > 0) yield content;
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString();
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#chunks.next();
    if (done === true) {
      await this.#git.outcome;
      throw invalidArgument('git ended in the middle of a file');
    }
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#git.child.stdin.end();
    this.#git.child.stdout.destroy();
    await this.#git.outcome.catch(() => undefined);
  }
}
