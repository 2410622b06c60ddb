import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { runClient } from '../clients.ts';
import type { CliResult, DockerApi } from '../docker-api.ts';

/** What a command does, proved; `command` is how it is spelt this time: ["container", "ls"] or ["ps"]. */
export type Case = (world: World, command: readonly string[]) => Promise<void>;
/** By the names that do the same, with commas. */
export type Cases = Readonly<Record<string, Case>>;

/** What a case has at hand: the CLI at an engine that has the image busybox, and a registry that lets everybody in. */
export class World {
  readonly api: DockerApi;
  /** Host and port of the registry. */
  readonly registry: string;
  readonly #folder: string;
  #count = 0;

  constructor({ api, registry, folder }: { readonly api: DockerApi; readonly registry: string; readonly folder: string }) {
    this.api = api;
    this.registry = registry;
    this.#folder = folder;
  }

  /** Runs `docker WORDS`, which must succeed, and answers its output without the last newline. */
  readonly docker = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await this.both(words);
    assert.equal(code, 0, `docker ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  };

  /** Runs `docker WORDS`, which must fail, and answers what it complains of. */
  readonly refused = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await this.both(words);
    assert.notEqual(code, 0, `docker ${words.join(' ')} should fail: ${stdout}`);
    return stderr.trimEnd();
  };

  readonly both = (words: readonly string[], given?: { readonly input?: string | Buffer }): Promise<CliResult> =>
    this.api.docker(words, given);

  /** Runs `docker WORDS` with nothing but this of the CLI's own variables. */
  async dockerWith(env: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<string> {
    const bare = { DOCKER_HOST: '', DOCKER_CONTEXT: '', DOCKER_BUILDKIT: '0', ...env };
    const { code, stdout, stderr } = await runClient(['docker', ...words], { cwd: this.#folder, env: bare });
    assert.equal(code, 0, `docker ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** One that nobody has. */
  name(prefix = 'case'): string {
    this.#count += 1;
    return `${prefix}-${this.#count}`;
  }

  /** A new folder. */
  folder(): string {
    return mkdtempSync(join(this.#folder, 'case-'));
  }

  /** A container that runs until it is stopped; its name. */
  readonly container = async (
    words: readonly string[] = ['sleep', '1000'],
    flags: readonly string[] = ['--network', 'none'],
  ): Promise<string> => {
    const name = this.name();
    await this.docker('run', '-d', '--name', name, '--stop-signal', 'KILL', ...flags, 'busybox', ...words);
    return name;
  };

  /** A field of any object. */
  readonly inspect = (object: string, format: string): Promise<string> => this.docker('inspect', '-f', format, object);

  /** An image of the registry: busybox under another name; its reference. */
  async pushed(tag = '1'): Promise<string> {
    const reference = `${this.registry}/team/${this.name('app')}:${tag}`;
    await this.docker('tag', 'busybox', reference);
    await this.docker('push', '-q', reference);
    return reference;
  }

  /** Everything that a case may have left. */
  async tidy(): Promise<void> {
    const all = (await this.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (all.length > 0) await this.docker('rm', '-fv', ...all);
    await this.docker('network', 'prune', '-f');
    await this.docker('volume', 'prune', '-af');
  }
}
