import type { Abortable } from '@gantry/sdk';
import type { CheckFinding, CheckOptions, CheckReport } from '@gantry/sdk/engine';

type Kind = keyof CheckReport['checked'];

/** What one check has seen so far. */
export class Examination implements Abortable {
  readonly repair: boolean;
  readonly signal: AbortSignal | undefined;
  readonly #onProgress: CheckOptions['onProgress'];
  readonly #checked: Record<Kind, number> = { blobs: 0, layers: 0, graphDrivers: 0, volumes: 0 };
  readonly #findings: CheckFinding[] = [];

  constructor({ repair = false, onProgress, signal }: CheckOptions) {
    this.repair = repair;
    this.signal = signal;
    this.#onProgress = onProgress;
  }

  get report(): CheckReport {
    return { checked: this.#checked, findings: this.#findings };
  }

  /** One more of a kind; throws when the check was aborted. */
  saw(kind: Kind, total: number): void {
    this.signal?.throwIfAborted();
    this.#checked[kind] += 1;
    this.#onProgress?.({ id: kind, status: 'Checking', progressDetail: { current: this.#checked[kind], total } });
  }

  /** Whether it was found wrong already. */
  isFound(id: string): boolean {
    return this.#findings.some((finding) => finding.id === id);
  }

  /** Something is wrong. With `repair` the mending is done first, and its words or its failure are part of the finding. */
  async found(finding: Omit<CheckFinding, 'repaired'>, mend?: () => Promise<string>): Promise<void> {
    if (!this.repair || mend === undefined) return void this.#findings.push(finding);
    try {
      this.#findings.push({ ...finding, repaired: await mend() });
    } catch (error) {
      this.signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      this.#findings.push({ ...finding, advice: `could not be repaired: ${reason}` });
    }
  }
}
