import type { Healthcheck } from '../engine/index.ts';
import { invalidArgument } from '../errors.ts';
import { jsonWords } from './words.ts';

const durations: Readonly<Record<string, keyof Healthcheck>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};
const unitsNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** What stands behind HEALTHCHECK: `NONE`, or flags and then `CMD` and a command. */
export function healthcheckOf(text: string): Healthcheck {
  const flags: Record<string, number> = {};
  const rest = text.replace(/^(?:--\S+\s+)*/, (given) => {
    for (const flag of given.trim().split(/\s+/).filter(Boolean)) Object.assign(flags, readFlag(flag));
    return '';
  });
  const [, type = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (type.toUpperCase() === 'NONE') {
    if (command !== '') throw invalidArgument('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  if (type.toUpperCase() !== 'CMD') throw invalidArgument(`Unknown type ${JSON.stringify(type.slice(0, 40))} in HEALTHCHECK (try CMD)`);
  if (command === '') throw invalidArgument('Missing command after HEALTHCHECK CMD');
  const words = jsonWords(command);
  return { Test: words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words], ...flags };
}

function readFlag(flag: string): Healthcheck {
  const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/.exec(flag) ?? [];
  if (name === 'retries') {
    if (!/^\d{1,9}$/.test(value)) throw invalidArgument(`--retries must be a whole number (${value.slice(0, 40)})`);
    return { Retries: Number(value) };
  }
  const key = Object.hasOwn(durations, name) ? durations[name] : undefined;
  if (key === undefined) throw invalidArgument(`unknown flag: ${flag.slice(0, 80)}`);
  return { [key]: nanoseconds(name, value) };
}

function nanoseconds(name: string, text: string): number {
  const parts = [...text.slice(0, 64).matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (text === '' || parts.map(([whole]) => whole).join('') !== text) {
    throw invalidArgument(`--${name}: invalid duration ${JSON.stringify(text.slice(0, 40))}`);
  }
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (unitsNs[unit ?? ''] ?? 0), 0);
}
