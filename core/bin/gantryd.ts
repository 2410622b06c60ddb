import { readFileSync, rmSync } from 'node:fs';
import { codeOf, conflict, fromErrno, internal } from '@gantry/sdk/errors';
import { type DaemonOptions, parseDaemon, report, takenStatus } from '../cli/daemon/index.ts';
import { publishFileSync } from '../support/index.ts';
import { notifier } from './notify.ts';
import { stopOptimising } from './optimiser.mjs';
import { passedSockets } from './passed-sockets.ts';

/** Runs gantryd with these words and resolves with the exit code. Never rejects. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    const command = parseDaemon(words);
    if (command.kind === 'show') process.stdout.write(command.text);
    else if (command.kind === 'validated') process.stdout.write('configuration OK\n');
    else await run(words, command.options);
    return 0;
  } catch (error) {
    if (report(error, 'gantryd') === 0) return 0;
    return codeOf(error) === 'conflict' ? takenStatus : 1;
  }
}

/** Serves until a signal or until nobody needs it any more. */
async function run(words: readonly string[], options: DaemonOptions): Promise<void> {
  using _pidfile = options.pidfile === undefined ? undefined : writePidfile(options.pidfile);
  const stop = stopSignal();
  const hosts = passedSockets(options.hosts, process.env);
  using manager = notifier(process.env);
  // Loaded only now: --help and a wrong flag need no engine.
  const { serve } = await import('./serve.ts');
  await using engine = await serve({ ...options, hosts });
  process.on('SIGHUP', () => {
    manager.reloading();
    engine.reload(() => ({ ...optionsOf(words), hosts }));
    manager.ready();
  });
  process.on('SIGUSR1', () => engine.dump());
  manager.ready();
  await Promise.race([stop, engine.ended]);
  stopOptimising();
}

function optionsOf(words: readonly string[]): DaemonOptions {
  const command = parseDaemon(words);
  if (command.kind === 'show') throw internal('what was asked for is no engine');
  return command.options;
}

const impatience = 3;

/** Resolves with the first SIGTERM or SIGINT; the third ends the process without asking. */
function stopSignal(): Promise<void> {
  const asked = Promise.withResolvers<void>();
  let count = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      count += 1;
      asked.resolve();
      if (count === impatience) process.exit(1);
    });
  }
  return asked.promise;
}

function writePidfile(path: string): Disposable {
  const other = runningProcess(path);
  if (other !== undefined)
    throw conflict(`process ${other} is running already: ${path} says so`, { hint: 'stop it, or choose another --pidfile' });
  try {
    publishFileSync(path, `${process.pid}\n`, { mode: 0o644 });
  } catch (error) {
    throw fromErrno(error, 'cannot write the pid file');
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** The process that the file names, if it is a gantryd and not this one. */
function runningProcess(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    if (pid === process.pid) return undefined;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('gantryd') ? pid : undefined;
  } catch {
    return undefined;
  }
}
