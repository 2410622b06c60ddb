import Table from 'cli-table3';
import type { Measured, Scenario } from './scenarios.ts';
import { summarise } from './statistics.ts';

export interface Result extends Measured {
  readonly engine: string;
  readonly name: string;
  readonly scenario: Scenario;
}

/** The figure that the target is about: a multiple of the floor where there is one. */
function figure({ values, floors }: Result): number {
  const { median } = summarise(values);
  return floors === undefined ? median : median / summarise(floors).median;
}

export function isMissed(result: Result): boolean {
  const { target } = result.scenario;
  return !('atMost' in target ? figure(result) <= target.atMost : figure(result) >= target.atLeast);
}

export interface Comparison {
  readonly line: string;
  readonly isMet: boolean;
}

/** How the engine named does beside the peers that scenarios hold it against, where both were measured. */
export function comparisons(results: readonly Result[], engine: string): readonly Comparison[] {
  return results.flatMap((own) => {
    const { versus } = own.scenario;
    const other = results.find(({ name, engine: peer }) => name === own.name && peer === versus?.peer);
    if (own.engine !== engine || versus === undefined || other === undefined || own.values.length === 0 || other.values.length === 0)
      return [];
    const times = summarise(own.values).median / summarise(other.values).median;
    const isMet = 'atMost' in versus ? times <= versus.atMost : times >= versus.atLeast;
    const wanted = 'atMost' in versus ? `<= ${versus.atMost}` : `>= ${versus.atLeast}`;
    const text = `  ${own.name}: ${times.toFixed(2)} times ${versus.peer}'s (${wanted}): ${isMet ? 'ok' : 'MISSED'}`;
    return [{ line: text, isMet }];
  });
}

/** While it runs: the samples' spread, the floor and the verdict. */
export function line(result: Result): string {
  const { name, values, floors, scenario, note } = result;
  if (values.length === 0) return `  ${name}: ${note ?? 'not measured'}`;
  const { median, min, max } = summarise(values);
  const held =
    floors === undefined ? '' : `, ${figure(result).toFixed(2)} times the floor of ${summarise(floors).median.toFixed(1)} ${scenario.unit}`;
  const verdict = isMissed(result) ? `MISSED ${shownTarget(result)}` : 'ok';
  return `  ${name}: ${shown(median)} ${scenario.unit} [${shown(min)}..${shown(max)}]${held}${note === undefined ? '' : ` (${note})`}: ${verdict}`;
}

/** One row per scenario, one column per engine. */
export function table(results: readonly Result[]): string {
  const engines = [...new Set(results.map(({ engine }) => engine))];
  const rows = new Table({ head: ['scenario', 'unit', 'target', ...engines], style: { head: [], border: [] } });
  for (const [name, ofName = []] of Object.entries(Object.groupBy(results, (result) => result.name))) {
    const [first] = ofName;
    if (first === undefined) continue;
    const cells = engines.map((engine) => cell(ofName.find((result) => result.engine === engine)));
    rows.push([name, first.scenario.unit, shownTarget(first), ...cells]);
  }
  return rows.toString();
}

function cell(result: Result | undefined): string {
  if (result === undefined || result.values.length === 0) return '-';
  const times = result.floors === undefined ? '' : ` (${figure(result).toFixed(2)}x)`;
  return `${shown(summarise(result.values).median)}${times}${isMissed(result) ? ' !' : ''}`;
}

function shownTarget({ scenario: { target }, floors }: Result): string {
  const unit = floors === undefined ? '' : 'x floor';
  return 'atMost' in target ? `<= ${target.atMost}${unit}` : `>= ${target.atLeast}${unit}`;
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
