/**
 * Named places where a test may make the process fail: `GANTRY_FAILPOINTS='load.afterRename=1*off->1*kill;start.spawn=error(ENOSPC)'`.
 * A point runs its terms in order; `3*` limits a term to three passes, a term without a count lasts for ever, after the last term nothing happens.
 * Actions: `off`, `error(EIO)` (throws as a system call would), `panic` (throws a plain error), `kill` (SIGKILL to itself), `delay(250)` in ms, `hang`.
 * Delay and hang block the calling thread, as a stuck system call does. Counts are per thread.
 */
export function failpoint(name: string): void {
  if (armed !== undefined) pass(armed, name);
}

/** Reads the grammar above; throws an error that names the part it cannot read. */
export function parseFailpoints(text: string): ReadonlyMap<string, Term[]> {
  const points = new Map<string, Term[]>();
  for (const point of text.split(';').filter((part) => part.trim() !== '')) {
    const at = point.indexOf('=');
    if (at < 1) throw new Error(`GANTRY_FAILPOINTS: ${JSON.stringify(point)} has no name=terms`);
    points.set(
      point.slice(0, at).trim(),
      point
        .slice(at + 1)
        .split('->')
        .map(parseTerm),
    );
  }
  return points;
}

interface Term {
  readonly action: Action;
  readonly argument: string;
  passesLeft: number;
}

const actions = ['off', 'error', 'panic', 'kill', 'delay', 'hang'] as const;
type Action = (typeof actions)[number];

const setting = process.env['GANTRY_FAILPOINTS'];
const armed = setting === undefined || setting === '' ? undefined : parseFailpoints(setting);

function parseTerm(text: string): Term {
  const [, count, word, argument = ''] = /^(?:(\d+)\*)?([a-z]+)(?:\(([^)]*)\))?$/.exec(text.trim()) ?? [];
  const action = actions.find((known) => known === word);
  if (action === undefined) throw new Error(`GANTRY_FAILPOINTS: ${JSON.stringify(text)} is no term; known actions: ${actions.join(', ')}`);
  if (action === 'delay' && !/^\d+$/.test(argument)) throw new Error(`GANTRY_FAILPOINTS: ${JSON.stringify(text)} needs milliseconds`);
  return { action, argument, passesLeft: count === undefined ? Number.POSITIVE_INFINITY : Number(count) };
}

function pass(points: ReadonlyMap<string, Term[]>, name: string): void {
  const term = points.get(name)?.find(({ passesLeft }) => passesLeft > 0);
  if (term === undefined) return;
  term.passesLeft -= 1;
  run(term, name);
}

function run({ action, argument }: Term, name: string): void {
  switch (action) {
    case 'off':
      return;
    case 'error':
      throw Object.assign(new Error(`${argument || 'EIO'}: failpoint ${name}`), { code: argument || 'EIO', syscall: 'failpoint' });
    case 'panic':
      throw new Error(`failpoint ${name}`);
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return block(Number.POSITIVE_INFINITY); // the signal is on its way; nothing after this line may run
    case 'delay':
      return block(Number(argument));
    case 'hang':
      return block(Number.POSITIVE_INFINITY);
    default:
      action satisfies never;
  }
}

function block(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
