import { declare } from './calls.ts';

/** Gives free heap pages back to the kernel: malloc_trim(3). Some milliseconds for a large heap; true when anything was given back. */
export function trimMemory(): boolean {
  return callMallocTrim(0) === 1;
}

const callMallocTrim = declare<(pad: number) => number>('malloc_trim', 'int', ['size_t']);
