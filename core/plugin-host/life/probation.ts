/** The time after an upgrade in which one failure brings back what was before. */
export class Probation {
  #timer: NodeJS.Timeout | undefined;

  /** `onPassed` is told when nothing failed. Timers go by the time that passes, not by the clock. */
  begin(forMs: number, onPassed: () => void): void {
    this.end();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      onPassed();
    }, forMs);
    this.#timer.unref();
  }

  /** True when it was under way: then it is over, and the failure is the new version's. */
  fail(): boolean {
    const isOn = this.#timer !== undefined;
    this.end();
    return isOn;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
