import assert from 'node:assert/strict';
import type { Daemon } from '../engine/daemon.ts';
import { DockerApi } from './docker-api.ts';

export interface DockerCli {
  /** What it printed; anything but success fails, with the daemon's last words. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
  /** What it complained of; success fails. */
  readonly refused: (...args: readonly string[]) => Promise<string>;
  /** Both streams, however it ends. */
  readonly both: (...args: readonly string[]) => ReturnType<DockerApi['docker']>;
}

/** The docker CLI at whichever daemon `current` answers now. */
export function dockerCli(current: () => Daemon): DockerCli {
  const both: DockerCli['both'] = (...args) => new DockerApi(current().places.socketPath).docker(args);
  return {
    both,
    async docker(...args) {
      const { code, stdout, stderr } = await both(...args);
      assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}\n${current().log.slice(-4000)}`);
      return stdout.trimEnd();
    },
    async refused(...args) {
      const { code, stdout, stderr } = await both(...args);
      assert.notEqual(code, 0, `docker ${args.join(' ')} should fail: ${stdout}`);
      return stderr;
    },
  };
}
