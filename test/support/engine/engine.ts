import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Container, ContainerConfig, CreateContainer, ExecConfig, HostConfig } from '@gantry/sdk/engine';
import { createEngine, type LocalEngine } from '../../../core/index.ts';
import type { EngineOptions } from '../../../core/index.ts';
import { busyboxImage, busyboxLayer } from '../images/busybox.ts';
import { makeImage } from '../images/image-archive.ts';
import { collect } from './lifecycle.ts';
import { endOfArchive } from '../images/tar-builder.ts';

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
export interface ContainerWishes {
  readonly config?: ContainerConfig;
  readonly hostConfig?: HostConfig;
  readonly name?: string;
}

/** A whole engine in this process over a folder of its own, with the busybox image, and the few calls that tests of it repeat. */
export class EngineUnderTest implements AsyncDisposable {
  engine: LocalEngine;
  readonly #options: EngineOptions;
  /** Data and exec root are folders in here. */
  readonly folder: string;
  #warmer: Awaited<ReturnType<EngineUnderTest['sleeping']>> | undefined;

  private constructor(engine: LocalEngine, folder: string, options: EngineOptions) {
    this.engine = engine;
    this.folder = folder;
    this.#options = options;
  }

  static async open(options: EngineOptions = {}): Promise<EngineUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), 'engine-'));
    const whole = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec'), ...options };
    const opened = new EngineUnderTest(await createEngine(whole), folder, whole);
    await opened.#load(busyboxImage().archive);
    return opened;
  }

  /** Ends the engine; containers run on. */
  async close(): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }

  /** Another engine over the same folders, which has taken over what it found; the former one is ended first. */
  async reopen(changed: EngineOptions = {}): Promise<void> {
    await this.close();
    this.engine = await createEngine({ ...this.#options, ...changed });
    await this.engine.recovered;
  }

  /** An image of busybox and a layer of these tar entries. */
  async image(name: string, entries: readonly Buffer[], config: ContainerConfig = {}): Promise<void> {
    const layers = [busyboxLayer(), Buffer.concat([...entries, endOfArchive])];
    await this.#load(makeImage({ reference: `${name}:latest`, layers, config: { Cmd: ['sh'], ...config } }).archive);
  }

  /** A container without a network that runs a shell script. */
  async create(script: string, { config = {}, hostConfig = {}, name }: ContainerWishes = {}): Promise<string> {
    const request: CreateContainer = {
      config: { Image: 'busybox', Cmd: ['sh', '-c', script], ...config },
      hostConfig: { NetworkMode: 'none', ...hostConfig },
      ...(name !== undefined && { name }),
    };
    return (await this.engine.containers.create(request)).id;
  }

  /** Runs a script to its end; the container is gone afterwards. */
  async run(script: string, wishes: ContainerWishes = {}): Promise<Ended> {
    const { containers } = this.engine;
    await using container = this.#removed(await this.create(script, wishes));
    const { output } = await containers.attach(container.id, { stdin: false, stdout: true, stderr: true, stream: true });
    const collected = collect(output);
    const { result } = containers.wait(container.id, 'next-exit');
    await containers.start(container.id);
    const { exitCode } = await result;
    return { exitCode, ...(await collected) };
  }

  /** A container that sleeps, until disposed. */
  async sleeping(wishes: ContainerWishes = {}): Promise<{ readonly id: string; readonly inspect: () => Container } & AsyncDisposable> {
    const container = this.#removed(await this.create('trap exit TERM; sleep 600 & wait', wishes));
    try {
      await this.engine.containers.start(container.id);
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
    return { ...container, inspect: () => this.engine.containers.inspect(container.id) };
  }

  /** Made and not started, until disposed. */
  async created(script = 'true', wishes: ContainerWishes = {}): Promise<{ readonly id: string } & AsyncDisposable> {
    return this.#removed(await this.create(script, wishes));
  }

  /** Has all threads that look into containers started, which come and go as they are needed: called before things are counted. */
  async warm(): Promise<void> {
    const { id } = (this.#warmer ??= await this.sleeping());
    await Promise.all([this.get(id, '/etc/hostname'), this.get(id, '/etc/hostname')]);
  }

  /** Puts tar entries into the container, as docker cp does. */
  async put(container: string, path: string, tar: Buffer): Promise<void> {
    await this.engine.containers.putArchive(container, path, once(tar), { noOverwriteDirNonDir: false, copyUidGid: false });
  }

  /** The tar that docker cp gets. */
  async get(container: string, path: string): Promise<Buffer> {
    return bytesOf((await this.engine.containers.getArchive(container, path)).tar);
  }

  async exec(container: string, cmd: readonly string[], config: Omit<ExecConfig, 'cmd'> = {}): Promise<Ended> {
    const { execs } = this.engine;
    const { id } = await execs.create(container, { attachStdout: true, attachStderr: true, ...config, cmd });
    const { attached } = await execs.start(id, { detach: false });
    const output = attached === undefined ? { stdout: '', stderr: '' } : await collect(attached.output);
    return { exitCode: execs.inspect(id).exitCode ?? -1, ...output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#warmer?.[Symbol.asyncDispose]();
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #load(archive: Buffer): Promise<void> {
    await this.engine.images.load(once(archive), {});
  }

  #removed(id: string): { readonly id: string } & AsyncDisposable {
    const remove = () => this.engine.containers.remove(id, { force: true, volumes: true });
    return { id, [Symbol.asyncDispose]: remove };
  }
}

/** Bytes as the stream that the engine takes. */
export async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** All of a stream. */
export async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}
