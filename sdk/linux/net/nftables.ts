import { closeSync, fstatSync, openSync } from 'node:fs';
import type { LibraryHandle } from 'koffi';
import { exhausted, invalidArgument, unavailable } from '../../errors.ts';
import { declare, koffi } from '../calls.ts';
import { asError } from '../errno.ts';
import { withNetns, type Netns } from './netns.ts';

export interface NftOptions {
  /** What lists answer is JSON (libnftables-json(5)) instead of text. */
  readonly json?: boolean;
  /** Lists show the handles of rules. */
  readonly handles?: boolean;
  /** What was added is printed as the kernel has it, so that handles can be learned. */
  readonly echo?: boolean;
  /** Checks the commands and changes nothing. */
  readonly dryRun?: boolean;
}

/**
 * Runs nftables commands (nft(8)) as one transaction in a network namespace, in this process, by libnftables(3): all of them take effect, or none. Answers what they print.
 * Throws `invalid_argument` with nft's own message, when one is refused, and `unavailable` when the library is missing.
 */
export function nft(netns: Netns, commands: string, options: NftOptions = {}): string {
  using session = Nftables.open(netns);
  return session.run(commands, options);
}

/**
 * The same over one kept socket of a network namespace, from everywhere. Worth it where rules or elements are deleted: closing the socket after that waits for the kernel's
 * readers of the old rules, some 7 ms, and this does so only when it is disposed of.
 */
export class Nftables implements Disposable {
  #context: bigint | undefined;

  private constructor(context: bigint) {
    this.#context = context;
    bufferOutput(context);
    bufferError(context);
  }

  /** Throws `exhausted` when no descriptor below 1,024 is free: see `NftPlace`. */
  static open(netns?: Netns): Nftables {
    return withNetns(netns, () => {
      for (let attempt = 0; attempt < 8; attempt += 1) {
        const expected = lowestFree();
        const context = create(0);
        if (isSocket(expected)) return new Nftables(context);
        // Another thread was faster: where the socket is now nobody knows.
        free(context);
      }
      throw noPlace();
    });
  }

  run(commands: string, options: NftOptions = {}): string {
    if (commands.includes('\0')) throw invalidArgument('nft commands must have no NUL byte inside');
    const context = this.#context;
    if (context === undefined) throw invalidArgument('nft commands for a session that was closed');
    setOutputFlags(context, outputFlags(options));
    setDryRun(context, options.dryRun ?? false);
    const result = runCommands(context, commands);
    // Both are read every time: reading empties them.
    const [output, errors] = [outputOf(context) ?? '', errorsOf(context) ?? ''];
    if (result !== 0) throw refused(commands, errors);
    return output;
  }

  [Symbol.dispose](): void {
    if (this.#context !== undefined) free(this.#context);
    this.#context = undefined;
  }
}

/**
 * Keeps a low descriptor for a session that is opened later. libnftables waits by select(2), which knows descriptors below 1,024 only and ends the process at others; a process that
 * serves hundreds of containers has more. Take it early, while there are few.
 */
export class NftPlace implements Disposable {
  #descriptor: number | undefined = openSync('/dev/null', 'r');

  /** Leaves the place to what opens a session, and takes it again afterwards when that was closed. */
  use<T>(work: () => T): T {
    this[Symbol.dispose]();
    try {
      return work();
    } finally {
      this.#descriptor = openSync('/dev/null', 'r');
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

const selectable = 1_024;

function lowestFree(): number {
  const descriptor = openSync('/dev/null', 'r');
  closeSync(descriptor);
  if (descriptor >= selectable) throw noPlace();
  return descriptor;
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

function noPlace(): Error {
  return exhausted(`no descriptor below ${selectable} is free, and libnftables can use no other`, { reason: 'DESCRIPTORS_EXHAUSTED' });
}

/** Whether libnftables can be loaded here. */
export function hasNft(): boolean {
  try {
    library();
    return true;
  } catch {
    return false;
  }
}

/** NFT_CTX_OUTPUT_*: numbers, never the names that a machine's files happen to give them. */
function outputFlags({ json = false, handles = false, echo = false }: NftOptions): number {
  return 256 /* NUMERIC_PRIO */ | 512 /* NUMERIC_SYMBOL */ | (handles ? 8 : 0) | (json ? 16 : 0) | (echo ? 32 : 0);
}

let loaded: LibraryHandle | undefined;

function library(): LibraryHandle {
  try {
    loaded ??= koffi().load('libnftables.so.1');
    return loaded;
  } catch (error) {
    throw unavailable(`libnftables.so.1 cannot be loaded: ${asError(error).message}`, {
      hint: 'install nftables (Debian, Ubuntu: apt install libnftables1; Fedora: dnf install nftables)',
      cause: error,
    });
  }
}

const onContext = ['void *'];
const create = declare<(flags: number) => bigint>('nft_ctx_new', 'void *', ['uint32_t'], library);
const free = declare<(context: bigint) => void>('nft_ctx_free', 'void', onContext, library);
const setOutputFlags = declare<(context: bigint, flags: number) => void>('nft_ctx_output_set_flags', 'void', ['void *', 'uint'], library);
const setDryRun = declare<(context: bigint, on: boolean) => void>('nft_ctx_set_dry_run', 'void', ['void *', 'bool'], library);
const bufferOutput = declare<(context: bigint) => number>('nft_ctx_buffer_output', 'int', onContext, library);
const bufferError = declare<(context: bigint) => number>('nft_ctx_buffer_error', 'int', onContext, library);
const runCommands = declare<(context: bigint, commands: string) => number>('nft_run_cmd_from_buffer', 'int', ['void *', 'str'], library);
const outputOf = declare<(context: bigint) => string | null>('nft_ctx_get_output_buffer', 'str', onContext, library);
const errorsOf = declare<(context: bigint) => string | null>('nft_ctx_get_error_buffer', 'str', onContext, library);

/** nft shows the wrong line of several (it always takes the first), so only its words count, and the command where there is but one. */
function refused(commands: string, words: string): Error {
  const first = words.split('\n').find((line) => line.trim() !== '') ?? 'without a reason';
  const only = commands.trim();
  const where = only.includes('\n') ? '' : `, in: ${only}`;
  return invalidArgument(`nft refused the rules: ${first.replace(/^.*?Error: /, '')}${where}`, { facts: { nft: words, commands } });
}
