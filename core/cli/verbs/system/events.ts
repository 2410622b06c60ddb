import type { EventAnswer } from '@gantry/sdk/client';
import { type Format, formatOption } from '../../format/format-option.ts';
import { list, value } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { parseTime } from '../../parse/time.ts';
import { verb } from '../../verb.ts';

interface EventsFlags {
  readonly since?: string;
  readonly until?: string;
  readonly filter: readonly (readonly [string, string])[];
  readonly format?: Format;
}

export const events = verb<EventsFlags>({
  arguments: '',
  options: [
    value('--since <time>', 'From then on: 10m, 2026-01-31T12:00:00Z, unix seconds', (given) => parseTime(given)),
    value('--until <time>', 'Until then; else for ever', (given) => parseTime(given)),
    list('-f, --filter <key=value>', 'Only those, e.g. type=container, event=die', parseFilter),
    formatOption,
  ],
  async action(context, _given, { since, until, filter, format }) {
    const { system } = await context.client();
    for await (const event of system.events({ since, until, filters: toFilters(filter) })) {
      context.print(format === 'json' ? toJson(event) : show(event));
    }
  },
});

/** "2026-01-31T12:00:00.123456789Z container start 0123abcd (image=busybox, name=web)" */
function show({ Type, Action, Actor, time, timeNano }: EventAnswer): string {
  const attributes = Object.entries(Actor.Attributes ?? {}).map(([key, attribute]) => `${key}=${attribute}`);
  const facts = attributes.length === 0 ? '' : ` (${attributes.toSorted().join(', ')})`;
  return `${moment(time, timeNano)} ${Type} ${Action} ${Actor.ID}${facts}`;
}

function moment(seconds: number, nanoseconds: bigint): string {
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** A bigint has no form in JSON.stringify; quoted and unquoted again it has all its digits. */
function toJson(event: EventAnswer): string {
  return JSON.stringify({ ...event, timeNano: String(event.timeNano) }).replace(/"timeNano":"(\d+)"/, '"timeNano":$1');
}
