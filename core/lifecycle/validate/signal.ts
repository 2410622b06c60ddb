import { constants } from 'node:os';
import { invalidArgument } from '@gantry/sdk';

/** "KILL", "SIGKILL", "9", "RTMIN+3" → the number; signal(7). Anything else: `invalid_argument` "invalid signal: X". */
export function parseSignal(text: string): number {
  const word = text.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(text) ? Number(text) : (realTime(word) ?? named(word));
  if (number === undefined || number < 1 || number > lastSignal) throw invalidArgument(`invalid signal: ${text}`);
  return number;
}

const firstRealTime = 34; // glibc keeps 32 and 33
const lastSignal = 64;

function named(word: string): number | undefined {
  const aliases: Readonly<Record<string, number>> = { CLD: 17, IOT: 6, POLL: 29, UNUSED: 31 };
  return aliases[word] ?? (constants.signals as Readonly<Record<string, number>>)[`SIG${word}`];
}

function realTime(word: string): number | undefined {
  const [, edge, sign, offset = '0'] = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(word) ?? [];
  if (edge === undefined) return undefined;
  const number = (edge === 'MIN' ? firstRealTime : lastSignal) + (sign === '-' ? -1 : 1) * Number(offset);
  return number >= firstRealTime ? number : undefined;
}
