import type { Totals } from '../support/test-run.ts';
import { type GuestResult, runGuest } from './boot.ts';
import type { LaneKernel } from './cache.ts';
import type { GuestPlan } from './guest.ts';

/** Test files that one guest runs, as they would run here. */
export interface LanePiece {
  readonly kernel: LaneKernel;
  readonly modules?: readonly string[];
  /** From the top of the project. */
  readonly files: readonly string[];
  /** A regular expression: nothing but tests of such names. */
  readonly only?: string;
  /** For the files. */
  readonly env?: Readonly<Record<string, string>>;
  readonly memoryMiB?: number;
  /** For all of it, the boot included. */
  readonly timeoutMs: number;
}

export interface PieceResult {
  readonly guest: GuestResult;
  /** By file; undefined: it was not come to its end. */
  readonly totals: ReadonlyMap<string, Totals>;
}

/** Boots a guest and runs a piece in it. `mayBeCut`: what it has not come to when its time is over counts as skipped, not as failed. */
export async function runPiece(
  { kernel, modules = [], files, only, env = {}, memoryMiB = 3072, timeoutMs }: LanePiece,
  { mayBeCut = false, onOutput = () => undefined }: { readonly mayBeCut?: boolean; readonly onOutput?: (text: string) => void } = {},
): Promise<PieceResult> {
  const node = process.execPath.startsWith(project) ? process.execPath.replace(project, '/project/') : 'node';
  const plan: GuestPlan = { files, timeoutMs, mayBeCut, ...(only !== undefined && { only }) };
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), node, '--disable-warning=ExperimentalWarning'];
  const script = `${words.join(' ')} test/lane/guest.ts '${JSON.stringify(plan)}'`;
  const guest = await runGuest({
    kernel,
    modules,
    script,
    memoryMiB,
    timeoutMs: timeoutMs + slackMs,
    onOutput,
    collect: ['totals.json'],
  });
  const text = guest.files.get('totals.json') ?? '';
  return { guest, totals: new Map(text === '' ? [] : Object.entries(JSON.parse(text) as Readonly<Record<string, Totals>>)) };
}

/** Clocks of emulated machines go wrong by some tenths, and a file that is cut off still has to end. */
const slackMs = 30_000;
const project = new URL('../..', import.meta.url).pathname;
