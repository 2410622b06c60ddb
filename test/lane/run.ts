import { runGuest } from './boot.ts';
import { cacheDir, isSetUp, type LaneKernel } from './cache.ts';
import { runPiece } from './piece.ts';
import { pieces } from './pieces.ts';
import { piecesNamed } from './prepare.ts';
import { setUpLane } from './setup.ts';

/** `npm run lane`: sets the lane up, runs pieces of the long run, or a command in a guest by hand. */
const usage = `npm run lane -- setup
npm run lane -- info
npm run lane -- piece NAME…                  pieces of the long run, by name or its beginning: ${Object.keys(pieces).join(' ')}
npm run lane -- uml|vm[,module…] COMMAND…    in /project, e.g. npm run lane -- vm,zfs zpool status`;

const [verb = '', ...command] = process.argv.slice(2);
const [kernel = '', ...modules] = verb.split(',');
if (verb === 'setup') setUpLane();
else if (verb === 'info') console.log(`${cacheDir}: ${isSetUp() ? 'set up' : 'not set up'}`);
else if (verb === 'piece' && command.length > 0) process.exitCode = await runPieces(command);
else if ((kernel === 'uml' || kernel === 'vm') && command.length > 0) process.exitCode = await run(kernel, modules, command);
else console.log(usage);

async function run(wanted: LaneKernel, loaded: readonly string[], words: readonly string[]): Promise<number> {
  setUpLane();
  const script = words.length === 1 ? (words[0] ?? '') : words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const { code, kernelLog } = await runGuest({
    kernel: wanted,
    modules: loaded,
    script,
    timeoutMs: 30 * 60_000,
    onOutput: (text) => process.stdout.write(text),
  });
  if (code === undefined) console.error(`the guest did not come to its end:\n${kernelLog}`);
  return code ?? 125;
}

/** One after the other; 1 when a test failed, or was not come to. */
async function runPieces(names: readonly string[]): Promise<number> {
  const chosen = piecesNamed(names);
  setUpLane();
  let failures = 0;
  for (const name of chosen) {
    const piece = pieces[name];
    if (piece === undefined) continue;
    const began = performance.now();
    console.log(`${name}: ${piece.files.join(', ')}`);
    const { guest, totals } = await runPiece(piece, { onOutput: (text) => process.stdout.write(text) });
    const failed = [...totals.values()].flatMap((one) => one.failures);
    for (const failure of failed) console.log(`\n${failure}`);
    const isWhole = totals.size === piece.files.length;
    if (!isWhole) console.log(guest.isOutOfTime ? 'the guest was out of time' : `the guest did not come to its end:\n${guest.kernelLog}`);
    const outcome = isWhole && failed.length === 0 ? 'ok' : 'FAILED';
    console.log(`${outcome} ${name} (${((performance.now() - began) / 60_000).toFixed(1)} minutes)\n`);
    if (outcome !== 'ok') failures += 1;
  }
  return failures > 0 ? 1 : 0;
}
