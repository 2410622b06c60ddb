import { codeOf, firstCause, GantryError } from '@gantry/sdk';
import type { Progress } from '@gantry/sdk/engine';
import type { Call } from '../http/call.ts';
import { textOf } from '../status.ts';

/** A slow reader loses bars, never lines, once this much is waiting for it. */
const backlogBytes = 1024 * 1024;

/**
 * Runs `work` and sends its progress messages as they come, those of one turn of the event loop in one write. Until the first byte is
 * sent a failure is an ordinary error answer; after it, the error is the last message. `beginsAtOnce`: the first message is not waited with,
 * so that whether it was sent is no matter of time.
 */
export async function withProgress(
  call: Call,
  work: (report: (progress: Progress) => void) => Promise<void>,
  { headers = [], beginsAtOnce = false }: { readonly headers?: readonly string[]; readonly beginsAtOnce?: boolean } = {},
): Promise<void> {
  const lines = new ProgressLines(call, { headers, beginsAtOnce });
  try {
    await work((progress) => lines.add(progress));
  } catch (error) {
    lines.fail(error);
  }
  lines.end();
}

class ProgressLines {
  readonly #call: Call;
  readonly #headers: readonly string[];
  readonly #beginsAtOnce: boolean;
  #waiting = '';
  #scheduled: NodeJS.Immediate | undefined;
  #started = false;

  constructor(call: Call, { headers, beginsAtOnce }: { readonly headers: readonly string[]; readonly beginsAtOnce: boolean }) {
    this.#call = call;
    this.#headers = headers;
    this.#beginsAtOnce = beginsAtOnce;
  }

  add(message: object): void {
    const isBar = 'progressDetail' in message;
    if (isBar && this.#call.response.writableLength + this.#waiting.length > backlogBytes) return;
    this.#waiting += `${JSON.stringify(message)}\r\n`;
    if (this.#beginsAtOnce && !this.#started) this.#flush();
    else this.#scheduled ??= setImmediate(() => this.#flush());
  }

  /** Rethrows while the status line can still tell of the failure. */
  fail(error: unknown): void {
    if (!this.#started) {
      clearImmediate(this.#scheduled);
      throw error;
    }
    if (codeOf(error) !== 'cancelled') this.add({ errorDetail: { ...exitCodeOf(error), message: textOf(error) }, error: textOf(error) });
  }

  end(): void {
    this.#flush();
    this.#call.response.end();
  }

  #flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (!this.#started) this.#call.stream('application/json', this.#headers);
    this.#started = true;
    if (this.#waiting !== '' && !this.#call.response.destroyed) this.#call.response.write(this.#waiting);
    this.#waiting = '';
  }
}

/** Of a build's step: clients end with it. */
function exitCodeOf(thrown: unknown): { readonly code?: number } {
  const error = firstCause(thrown);
  const code = GantryError.is(error) ? error.facts['exitCode'] : undefined;
  return typeof code === 'number' ? { code } : {};
}
