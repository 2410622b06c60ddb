import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where everything of one run directory lies. */
export class Layout {
  readonly runDir: string;
  readonly containers: string;
  readonly execs: string;
  readonly exits: string;
  readonly runtimeRoot: string;

  constructor(runDir: string) {
    this.runDir = runDir;
    this.containers = join(runDir, 'containers');
    this.execs = join(runDir, 'execs');
    this.exits = join(runDir, 'exits');
    this.runtimeRoot = join(runDir, 'runtime');
    for (const folder of [this.containers, this.execs, this.exits, this.runtimeRoot]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  containerRecord(id: string): string {
    return join(this.containers, `${id}.json`);
  }

  /** Written by conmon: the exit code as text. */
  containerExit(id: string): string {
    return join(this.exits, id);
  }

  runtimeState(id: string): string {
    return join(this.runtimeRoot, id);
  }

  execFolder(id: string, execId: string): string {
    return join(this.execs, `${id}.${execId}`);
  }

  execRecord(id: string, execId: string): string {
    return join(this.execFolder(id, execId), 'record.json');
  }

  /** conmon names it after the container. */
  execExit(id: string, execId: string): string {
    return join(this.execFolder(id, execId), 'exit', id);
  }
}
