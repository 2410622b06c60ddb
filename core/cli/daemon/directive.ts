import { resolve } from 'node:path';
import { refuse } from '../parse/refuse.ts';

/** One thing that gantryd can be told, by a flag or in daemon.json. */
export interface Directive {
  /** Key in daemon.json. */
  readonly key: string;
  /** In commander's words; absent: daemon.json only. */
  readonly flags?: string;
  readonly description: string;
  /** `size`: text with a unit or bytes; `rows`: a list of objects. */
  readonly kind: 'text' | 'boolean' | 'number' | 'size' | 'list' | 'map' | 'rows';
  /** Checks one value (of a list or map: each) and gives its canonical form. */
  readonly parse?: (text: string) => unknown;
  /** Accepted for dockerd's sake, not shown in help, noted at the start: why it has no effect. */
  readonly ignored?: string;
  /** Known from dockerd, and refused unless it is empty, 0 or false: what it would promise is not done. Why, and what to do instead. */
  readonly refused?: readonly [why: string, hint: string];
}

export function checked(check: (text: string) => unknown): (text: string) => string {
  return (given) => {
    check(given);
    return given;
  };
}

export function parseFile(given: string): string {
  if (given === '' || given.includes('\0')) throw refuse(given, 'is not the path of a file');
  return resolve(given);
}
