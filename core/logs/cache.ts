import { invalidArgument } from '@gantry/sdk';
import { parseLogFlag, parseLogSize } from '@gantry/sdk/log';

type Options = Readonly<Record<string, string>>;

/** What a container's options say of the output that is kept for `docker logs` when its driver cannot read: Docker's dual logging. */
export interface Cache {
  readonly isDisabled: boolean;
  /** Of one file, and of all; absent: the spool's own. */
  readonly fileBytes?: number;
  readonly totalBytes?: number;
}

const defaultFileBytes = 20 * 1024 * 1024;
const defaultFiles = 5;
const prefix = 'cache-';

/** Fails with `invalid_argument` in Docker's words. `cache-compress` is taken and has no effect: what was delivered is kept as it was written. */
export function cacheOf(options: Options): Cache {
  const { 'cache-disabled': disabled = '', 'cache-max-size': size, 'cache-max-file': files, 'cache-compress': compress = '' } = options;
  parseLogFlag(compress, 'cache-compress');
  const isDisabled = flagOf(disabled);
  if (size === undefined && files === undefined) return { isDisabled };
  const fileBytes = size === undefined ? defaultFileBytes : parseLogSize(size, 'cache-max-size');
  return { isDisabled, fileBytes, totalBytes: fileBytes * (files === undefined ? defaultFiles : countOf(files)) };
}

/** What is left for the driver: these are the engine's business. */
export function withoutCache(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !known.has(name)));
}

const known: ReadonlySet<string> = new Set(['disabled', 'max-size', 'max-file', 'compress'].map((name) => prefix + name));

function flagOf(text: string): boolean {
  try {
    return parseLogFlag(text, 'cache-disabled');
  } catch (error) {
    throw invalidArgument(`invalid value for option cache-disabled: ${text}`, { cause: error });
  }
}

function countOf(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw invalidArgument(`log opt cache-max-file=${text}: must be a number of files, at least 1`);
  return count;
}
