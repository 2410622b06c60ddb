import { isSetUp } from './cache.ts';
import { pieces } from './pieces.ts';
import { setUpLane } from './setup.ts';
import { missingForSetup } from './setup-apt.ts';

/** "0": nothing; "1": every piece of the long run; names of pieces, or beginnings of names, with commas: those; not set: the short run, of some minutes. */
const wanted = process.env['GANTRY_TEST_LANE'];
const minute = 60_000;

/** For `npm test`: sets the lane up where that is possible, saying so, for it takes minutes. Never throws, and ends in time. */
export function prepareLane(): void {
  if (wanted === '0' || isSetUp() || missingForSetup() !== undefined) return;
  console.log('setting up the kernel lane: some minutes, once');
  try {
    setUpLane({ timeoutMs: (wanted === undefined ? 8 : 60) * minute });
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
}

/** Names of pieces for names and beginnings of names: "zfs", "v2-life". Throws for a name of none. */
export function piecesNamed(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const found = Object.keys(pieces).filter((known) => known === name || known.startsWith(`${name}-`));
    if (found.length === 0) throw new Error(`the lane has no piece ${JSON.stringify(name)}; it has ${Object.keys(pieces).join(', ')}`);
    return found;
  });
}

/** Why this piece of the long run is not run here; undefined when it is. */
export function whyNoPiece(name: string): string | undefined {
  const isChosen = wanted === '1' || (wanted !== undefined && wanted !== '0' && piecesNamed(wanted.split(',')).includes(name));
  if (isChosen) return whyNoGuest();
  return wanted === '0' ? leftOut : `needs to be asked for: GANTRY_TEST_LANE=1 npm test, or npm run lane -- piece ${name}`;
}

/** Why the short run is not run here; undefined when it is. */
export function whyNoShortRun(): string | undefined {
  if (wanted === '0') return leftOut;
  return wanted === undefined ? whyNoGuest() : 'needs nothing: the long run has it';
}

const leftOut = 'needs the kernel lane: GANTRY_TEST_LANE=0 leaves it out';

function whyNoGuest(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs the kernel lane: guests are booted by root';
  return isSetUp() ? undefined : `needs the kernel lane: ${missingForSetup() ?? 'npm run lane -- setup'}`;
}
