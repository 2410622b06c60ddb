import { invalidArgument } from '@gantry/sdk';
import type { ModeChange } from '@gantry/sdk/engine';

const everybody = 0o777;
const people: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: everybody };
const permissions: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };

/** `--chmod`: "0755", or changes of what a file has as chmod(1) writes them: "u+x,go=rX". */
export function modeOf(text: string): number | readonly ModeChange[] {
  if (/^0?[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8);
  const changes = text.slice(0, 200).split(',').map(changesOf);
  if (changes.includes(undefined) || text.length > 200)
    throw invalidArgument(`invalid chmod parameter: '${text.slice(0, 80)}'. it should be octal string and between 0 and 07777`, {
      hint: 'or say changes: u+x, go=r, a+rX',
    });
  return changes.flatMap((each) => each ?? []);
}

/** One clause may have several operations for the same people: "u+r-w". */
function changesOf(clause: string): readonly ModeChange[] | undefined {
  const [, who = '', operations = ''] = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/.exec(clause) ?? [];
  if (operations === '') return undefined;
  const mask = who === '' ? everybody : Array.from(who).reduce((sum, each) => sum | (people[each] ?? 0), 0);
  return [...operations.matchAll(/([-+=])([rwxXst]*)/g)].map(([, operation = '', letters = '']) => {
    const bits = bitsOf(letters, mask);
    const setExecutable = letters.includes('X') ? 0o111 & mask : 0;
    if (operation === '-') return { clear: bits | setExecutable, set: 0, setExecutable: 0 };
    return { clear: operation === '=' ? mask | specials(mask) : 0, set: bits, setExecutable };
  });
}

function bitsOf(letters: string, mask: number): number {
  return Array.from(letters).reduce((sum, letter) => {
    if (letter === 's') return sum | specials(mask);
    if (letter === 't') return sum | 0o1000;
    return sum | ((permissions[letter] ?? 0) & mask);
  }, 0);
}

/** setuid and setgid of those whom it is about. */
function specials(mask: number): number {
  return ((mask & 0o700) === 0 ? 0 : 0o4000) | ((mask & 0o070) === 0 ? 0 : 0o2000);
}
