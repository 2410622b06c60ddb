import { existsSync } from 'node:fs';
import { alreadyExists, conflict, dataLoss, exhausted, forbidden, type GantryError, internal, notFound, unavailable } from '@gantry/sdk';
import { isErrno, run } from '@gantry/sdk/linux';

export interface CommandOptions {
  readonly signal?: AbortSignal;
}

/** Runs zfs(8) with these arguments and answers its lines. Throws what it said, in the catalogue's words. */
export function zfs(argv: readonly string[], options: CommandOptions = {}): Promise<readonly string[]> {
  return command('zfs', argv, options);
}

/** The same of zpool(8). */
export function zpool(argv: readonly string[], options: CommandOptions = {}): Promise<readonly string[]> {
  return command('zpool', argv, options);
}

/** What zfs(8) takes for a file system: components of letters, digits and -_.: (no spaces here), below a pool. */
export function isDatasetName(name: string): boolean {
  return name.length <= 180 && /^[A-Za-z][\w.:-]*(\/[A-Za-z0-9][\w.:-]*)*$/.test(name);
}

async function command(name: 'zfs' | 'zpool', argv: readonly string[], { signal }: CommandOptions): Promise<readonly string[]> {
  const file = places.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
  if (file === undefined) throw unavailable(`${name} is not installed`, { hint: 'install zfsutils-linux' });
  try {
    const { exitCode, stdout, stderr } = await run({ file, argv: [name, ...argv], env: { LC_ALL: 'C', PATH: places.join(':') }, signal });
    if (exitCode === 0)
      return stdout
        .toString()
        .split('\n')
        .filter((line) => line !== '');
    throw said(
      `${name} ${argv[0]}`,
      stderr
        .toString()
        .trim()
        .replaceAll(/\s*\n\s*/g, '; '),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) throw unavailable(`${file} cannot be started`, { cause: error });
    throw error;
  }
}

const places = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin'];

/** Its words are all it tells: it ends with 1 whatever went wrong. */
const meanings: readonly (readonly [RegExp, (message: string) => GantryError])[] = [
  [/does not exist|no such pool/, notFound],
  [/already exists/, alreadyExists],
  [/is busy|has dependent clones|has children/, conflict],
  [/out of space|no space left|quota exceeded|size is greater than available space/, exhausted],
  [/permission denied|Operation not permitted/i, forbidden],
  [/I\/O error|insufficient replicas|is suspended|corrupt/, dataLoss],
  [/modules? (are|is) not loaded|\/dev\/zfs/, unavailable],
];

function said(what: string, text: string): GantryError {
  const [, make = internal] = meanings.find(([pattern]) => pattern.test(text)) ?? [];
  return make(`${what}: ${text || 'it failed without a word'}`);
}
