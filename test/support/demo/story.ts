import { strict as assert } from 'node:assert';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import colors from 'picocolors';
import { busyboxImage } from '../images/busybox.ts';
import { DemoCensus } from './left-behind.ts';
import { Daemon } from '../engine/daemon.ts';
import { Shell } from './shell.ts';

/** The demo as a table of contents. Every step checks what it shows; the first that is not as it should be ends the story with exit code 1. */
export class Story {
  #step = 0;

  async tell(): Promise<number> {
    const begun = performance.now();
    const folder = await mkdtemp(join(tmpdir(), 'gantry-demo-'));
    try {
      const before = new DemoCensus(folder);
      await this.#withEngine(folder);
      this.#say('Everything is removed and the engine is stopped: what is left in the kernel and on disk?');
      rmSync(folder, { recursive: true });
      const { kept, leaked } = before.compare();
      if (leaked.length > 0) throw new Error(`left behind:\n${leaked.join('\n')}`);
      show(colors.green('left behind: nothing'));
      if (kept.length > 0) show(colors.dim(`(kept for the next start, as docker keeps docker0: ${kept.join(', ')})`));
      show(
        colors.dim(
          `mounts, links, rules, cgroups, processes, sockets and files counted; ${((performance.now() - begun) / 1000).toFixed(1)} s in all`,
        ),
      );
      return 0;
    } catch (error) {
      process.stderr.write(`\n${colors.red('the demo failed')}: ${error instanceof Error ? error.message : String(error)}\n`);
      return 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #withEngine(folder: string): Promise<void> {
    this.#say('An engine starts, on roots of its own.');
    await using engines = new AsyncDisposableStack();
    const first = engines.use(await Daemon.start({ folder }));
    show(colors.dim(`gantryd answers after ${Math.round(first.startedMs)} ms`));
    const shell = new Shell(`unix://${first.places.socketPath}`);
    await this.#loadImage(shell, folder);
    await this.#runOnce(shell);
    await this.#serveWeb(shell);
    await this.#keepVolume(shell);
    this.#say('The engine is killed (kill -9). The server goes on.');
    await first.kill('SIGKILL');
    assert.match(await fetchPage(), /served by gantry/);
    const second = engines.use(await Daemon.start({ folder }));
    show(colors.dim(`the engine is back after ${Math.round(second.startedMs)} ms, and knows its container:`));
    assert.match((await shell.gantry('ps')).stdout, /web/);
    this.#say('Everything that touched the world was a plugin:');
    await shell.gantry('plugin', 'ls');
    await this.#cleanUp(shell);
  }

  async #loadImage(shell: Shell, folder: string): Promise<void> {
    this.#say("An image, made from this machine's busybox: no registry is needed.");
    const file = join(folder, 'busybox.tar');
    writeFileSync(file, busyboxImage().archive);
    await shell.gantry('load', '-i', file);
    await shell.gantry('images');
  }

  async #runOnce(shell: Shell): Promise<void> {
    this.#say('A container runs, its output and its exit code come back.');
    const hello = await shell.gantry('run', '--rm', 'busybox', 'echo', 'hello from a container');
    assert.equal(hello.stdout, 'hello from a container\n');
    const failed = await shell.gantry({ expect: 42 }, 'run', '--rm', 'busybox', 'sh', '-c', 'echo no luck >&2; exit 42');
    assert.equal(failed.stderr, 'no luck\n');
  }

  async #serveWeb(shell: Shell): Promise<void> {
    this.#say('A server in the background, its port published.');
    const serve = 'mkdir -p /www && echo "served by $(hostname)" > /www/index.html && echo ready && exec httpd -f -v -p 80 -h /www';
    await shell.gantry('run', '-d', '--name', 'web', '--hostname', 'gantry', '-p', '8080:80', 'busybox', 'sh', '-c', serve);
    assert.match(await fetchPage(), /served by gantry/);
    await shell.gantry('ps');
    await shell.gantry('exec', 'web', 'ps');
    await shell.gantry('logs', 'web');
  }

  async #keepVolume(shell: Shell): Promise<void> {
    this.#say('A volume outlives the container that wrote it.');
    await shell.gantry('run', '--rm', '-v', 'notes:/notes', 'busybox', 'sh', '-c', 'echo "kept" > /notes/today');
    const read = await shell.gantry('run', '--rm', '-v', 'notes:/notes:ro', 'busybox', 'cat', '/notes/today');
    assert.equal(read.stdout, 'kept\n');
  }

  async #cleanUp(shell: Shell): Promise<void> {
    this.#say('Cleaning up.');
    await shell.gantry('rm', '-f', 'web');
    await shell.gantry('volume', 'rm', 'notes');
    await shell.gantry('rmi', 'busybox');
  }

  #say(sentence: string): void {
    this.#step += 1;
    process.stdout.write(`\n${colors.bold(colors.cyan(`${this.#step}.`))} ${colors.bold(sentence)}\n`);
  }
}

async function fetchPage(): Promise<string> {
  const url = 'http://127.0.0.1:8080/';
  show(`${colors.dim('$')} curl ${url}`);
  const text = await whenReady(async () => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000), headers: { connection: 'close' } });
    return await answer.text();
  });
  show(text.trimEnd());
  return text;
}

/** The server inside may need a moment after its container started. */
async function whenReady<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 5000;
  while (true) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function show(text: string): void {
  process.stdout.write(`${text.replaceAll(/^/gm, '   ')}\n`);
}
