import { invalidArgument } from '@gantry/sdk';
import type { Call } from '../../http/call.ts';

const maxCells = 65_535;

/** The `h` and `w` of a resize request. */
export function sizeOf(call: Call): { readonly rows: number; readonly columns: number } {
  return { rows: cells(call, 'h', 'height'), columns: cells(call, 'w', 'width') };
}

function cells(call: Call, key: string, name: string): number {
  const text = call.query.text(key);
  const refuse = (why: string) => invalidArgument(`invalid resize ${name} ${JSON.stringify(text)}: ${why}`);
  if (!/^-?\d+$/.test(text)) throw refuse('invalid syntax');
  const value = Number(text);
  if (value < 0 || value > maxCells) throw refuse('value out of range');
  return value;
}
