import { runGuest } from './boot.ts';
import { cacheDir, isSetUp, type LaneKernel } from './cache.ts';
import { setUpLane } from './setup.ts';

/** `npm run lane`: sets the lane up, or runs a command in a guest by hand. */
const usage = `npm run lane -- setup
npm run lane -- info
npm run lane -- uml|vm[,module…] COMMAND…    in /project, e.g. npm run lane -- vm,zfs zpool status`;

const [verb = '', ...command] = process.argv.slice(2);
const [kernel = '', ...modules] = verb.split(',');
if (verb === 'setup') setUpLane();
else if (verb === 'info') console.log(`${cacheDir}: ${isSetUp() ? 'set up' : 'not set up'}`);
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
