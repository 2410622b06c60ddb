import { invalidArgument } from '../errors.ts';
import { messageOf } from '../errors.ts';
import type { ContainerInfo } from './contract.ts';
import { logTag } from './attributes.ts';

/** Fails with `invalid_argument` when the value is malformed. */
export type LogOptionCheck = (value: string, name: string) => void;

/**
 * Checks a container's log options: every driver takes `mode`, `max-buffer-size` and the attribute options (labels, env, tag…); its own
 * come as `own`. An unknown one is refused in Docker's words.
 */
export function checkLogOptions(
  driver: string,
  options: Readonly<Record<string, string>>,
  own: Readonly<Record<string, LogOptionCheck>>,
): void {
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(own, name) ? own[name] : isSharedLogOption(name) ? shared[name] : undefined;
    if (check === undefined) throw invalidArgument(`unknown log opt '${name}' for ${driver} log driver`, { reason: 'OPTION_UNKNOWN' });
    check(value, name);
  }
  if (options['max-buffer-size'] !== undefined && options['mode'] !== 'non-blocking') {
    throw invalidArgument("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
}

/** "10m", "1.5GB", "4096": decimal multiples, as Docker reads them. Fails with `invalid_argument` unless the size is positive. */
export function parseLogSize(text: string, name: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * 1_000 ** ' kmgtp'.indexOf(unit === '' ? ' ' : unit.toLowerCase()));
  if (!Number.isSafeInteger(bytes) || bytes <= 0) throw invalidArgument(`log opt ${name}=${text}: must be a positive size, like 10m`);
  return bytes;
}

/** "true", "1", "t" and their opposites, as Go reads them; "" is false. Fails with `invalid_argument`. */
export function parseLogFlag(text: string, name: string): boolean {
  if (isFlag(text)) return /^[1t]/i.test(text);
  throw invalidArgument(`log opt ${name}=${text}: must be true or false`);
}

/** "500ms", "10s", "1m30s", as Go writes them, in milliseconds. Fails with `invalid_argument`. */
export function parseLogDuration(text: string, name: string): number {
  if (!/^((\d+(\.\d+)?)(ms|s|m|h))+$/.test(text))
    throw invalidArgument(`log opt ${name}=${text}: must be a duration, like 500ms, 10s or 1m30s`);
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return Math.round(parts.reduce((sum, [, amount, unit = 'ms']) => sum + Number(amount) * (unitMs[unit] ?? 0), 0));
}
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "0", "3": how often. Fails with `invalid_argument`. */
export function parseLogCount(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw invalidArgument(`log opt ${name}=${text}: must be a whole number`);
  return Number(text);
}

/** An address of a service on the web, as it was given. Fails with `invalid_argument`. */
export function parseLogUrl(text: string, name: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw invalidArgument(`log opt ${name}=${text}: must be an address like https://host/path`);
  return text;
}

/** Whether every driver takes an option of this name. */
export function isSharedLogOption(name: string): boolean {
  return Object.hasOwn(shared, name);
}

function isFlag(text: string): boolean {
  return /^(1|t|true|0|f|false|)$/i.test(text);
}

const anything: LogOptionCheck = () => {};

const shared: Readonly<Record<string, LogOptionCheck>> = {
  mode: (value) => {
    if (!['', 'blocking', 'non-blocking'].includes(value)) throw invalidArgument(`logger: logging mode not supported: ${value}`);
  },
  'max-buffer-size': parseLogSize,
  labels: anything,
  env: anything,
  'labels-regex': checkPattern,
  'env-regex': checkPattern,
  tag: (value) => void logTag(sample, value),
};

function checkPattern(value: string, name: string): void {
  try {
    RegExp(value);
  } catch (error) {
    throw invalidArgument(`log opt ${name}=${value}: ${messageOf(error)}`, { cause: error });
  }
}

const sample: ContainerInfo = {
  id: '',
  name: '',
  image: '',
  imageId: '',
  command: [],
  env: [],
  labels: {},
  created: new Date(0),
  dir: '',
};
