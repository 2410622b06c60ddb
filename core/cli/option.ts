import { Option } from 'commander';
import { invalidArgument, GantryError } from '@gantry/sdk/errors';

/** A flag without a value; `--flag=false` works too. */
export function flag(flags: string, description: string): Option {
  return new Option(flags, description);
}

/** A flag with a value, read by `parse`; the last one wins. A value that cannot be read is refused with the flag's name. */
export function value(flags: string, description: string, parse: (given: string) => unknown): Option {
  const option = new Option(flags, description);
  return option.argParser((given: string) => read(option, given, parse));
}

/** A flag that may be given many times; absent is the empty list. */
export function list(flags: string, description: string, parse: (given: string) => unknown): Option {
  const option = new Option(flags, description).default([]);
  // commander's own default value is the first `previous`
  return option.argParser((given: string, previous: readonly unknown[]) => [...previous, read(option, given, parse)]);
}

/** As written. */
export function text(given: string): string {
  return given;
}

/** As written, and one of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): (given: string) => T {
  return (given) => {
    const word = words.find((candidate) => candidate === given);
    if (word === undefined) throw invalidArgument(`${JSON.stringify(given)} is not one of ${words.join(', ')}`);
    return word;
  };
}

function read<T>(option: Option, given: string, parse: (text: string) => T): T {
  try {
    return parse(given);
  } catch (error) {
    if (!GantryError.is(error)) throw error;
    throw new GantryError(error.code, `${option.long ?? option.short ?? ''}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
