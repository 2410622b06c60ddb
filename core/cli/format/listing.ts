import Table from 'cli-table3';
import type { Context } from '../context.ts';
import type { Format } from './format-option.ts';
import { oneLine } from './one-line.ts';

/** One column of a list: its heading in a table and its key in JSON. */
export interface Column<Row> {
  readonly key: string;
  /** Absent: JSON only. */
  readonly heading?: string | undefined;
  readonly show: (row: Row) => string;
}

export interface ListingFlags {
  readonly format?: Format;
  readonly quiet?: boolean;
}

/** Prints rows as a table, as JSON lines, or with `quiet` only `quietly`. */
export function printListing<Row>(
  context: Context,
  rows: readonly Row[],
  { columns, quietly, format, quiet }: ListingFlags & { readonly columns: readonly Column<Row>[]; readonly quietly?: (row: Row) => string },
): void {
  if (format === 'json') return rows.forEach((row) => context.print(JSON.stringify(toObject(row, columns))));
  if (quiet === true && quietly !== undefined) return rows.forEach((row) => context.print(quietly(row)));
  const shown = columns.filter(({ heading }) => heading !== undefined);
  const cells = rows.map((row) => shown.map((column) => oneLine(column.show(row))));
  context.print(drawTable([shown.map(({ heading }) => heading ?? ''), ...cells]));
}

/** Columns without borders, three blanks apart, nothing at the ends of lines. */
export function drawTable(rows: readonly (readonly string[])[]): string {
  const table = new Table({ chars: noBorders, style: { 'padding-left': 0, 'padding-right': 3, head: [], border: [], compact: true } });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function toObject<Row>(row: Row, columns: readonly Column<Row>[]): Readonly<Record<string, string>> {
  return Object.fromEntries(columns.map((column) => [column.key, column.show(row)]));
}

const borders =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle';
const noBorders = Object.fromEntries(borders.split(' ').map((name) => [name, '']));
