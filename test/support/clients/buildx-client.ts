import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildxConfig } from './buildx.ts';
import { busyboxImage } from '../images/busybox.ts';
import { contextFolder } from '../images/context-folder.ts';
import { Daemon } from '../engine/daemon.ts';

export interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/** The docker CLI with buildx and compose, whose config lies in `folder`/config, in front of an engine. */
export class BuildxClient {
  readonly #folder: string;
  readonly #daemon: Daemon;

  constructor(folder: string, daemon: Daemon) {
    this.#folder = folder;
    this.#daemon = daemon;
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      DOCKER_HOST: `unix://${this.#daemon.places.socketPath}`,
      DOCKER_CONFIG: join(this.#folder, 'config'),
      BUILDKIT_PROGRESS: 'plain',
      COMPOSE_PROGRESS: 'plain',
    };
  }

  async docker(
    args: readonly string[],
    { cwd = this.#folder, input, env }: { readonly cwd?: string; readonly input?: Buffer | string; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Said & { readonly code: number }> {
    const child = spawn('docker', args, {
      cwd,
      env: { ...this.environment, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => {}); // it may not read it
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code: Number(code), stdout, stderr };
  }

  async succeeds(args: readonly string[], options: Parameters<BuildxClient['docker']>[1] = {}): Promise<Said> {
    const { code, ...said } = await this.docker(args, options);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${said.stdout}${said.stderr}`);
    return said;
  }

  /** A folder of these files, new. */
  context(files: Readonly<Record<string, string>>): string {
    return contextFolder(this.#folder, files);
  }
}

/** Why there can be no such client here. Inside of the namespaces it is known that there can. */
export function whyNoBuildx(): string | undefined {
  if (process.env['GANTRY_TEST_INSIDE'] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'buildx-'));
  try {
    if (buildxConfig(folder) !== undefined) return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
  return 'needs docker-buildx and docker-compose of Debian 13, which cannot be fetched';
}

/** An engine that has busybox, and a client in front of it. */
export async function openBuildx(
  folder: string,
  flags: readonly string[] = [],
): Promise<{ readonly daemon: Daemon; readonly client: BuildxClient }> {
  buildxConfig(join(folder, 'config'));
  const daemon = await Daemon.start({ folder: join(folder, 'engine'), flags });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  return { daemon, client: new BuildxClient(folder, daemon) };
}
