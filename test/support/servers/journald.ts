import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export type JournalRecord = Readonly<Record<string, unknown>>;

const program = '/lib/systemd/systemd-journald';
const socket = '/run/systemd/journal/socket';

/** A real systemd-journald as an ordinary process, with all its files in the test's own /run. */
export class Journald implements AsyncDisposable {
  #child: ChildProcess | undefined;

  static async start(): Promise<Journald> {
    mkdirSync('/run/systemd/journald.conf.d', { recursive: true });
    writeFileSync(
      '/run/systemd/journald.conf.d/test.conf',
      '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\nForwardToWall=no\nRuntimeMaxUse=200M\n',
    );
    const journald = new Journald();
    await journald.resume();
    return journald;
  }

  async resume(): Promise<void> {
    rmSync(socket, { force: true });
    const child = spawn(program, [], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#child = child;
    for (let waitedMs = 0; !existsSync(socket); waitedMs += 20) {
      if (child.exitCode !== null || waitedMs > 20_000) throw new Error(`journald did not begin (${child.exitCode})`);
      await sleep(20);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** What was written by programs that say who they are, in its order. */
  records(identifier: string): readonly JournalRecord[] {
    const given = ['-D', '/run/log/journal', '--no-pager', '-o', 'json', '--all', `SYSLOG_IDENTIFIER=${identifier}`];
    const text = existsSync('/run/log/journal') ? execFileSync('journalctl', given, { encoding: 'utf8', maxBuffer: 1 << 28 }) : '';
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalRecord);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync('/run/systemd', { recursive: true, force: true });
    rmSync('/run/log', { recursive: true, force: true });
  }
}
