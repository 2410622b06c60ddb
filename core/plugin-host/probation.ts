/** The time after a switch in which one failure brings back what was before. */
export class Probation {
  #until = 0;

  begin(forMs: number): void {
    this.#until = performance.now() + forMs;
  }

  /** True when it was under way: then it is over, and the failure is the new version's. */
  fail(): boolean {
    const isOn = performance.now() <= this.#until;
    this.#until = 0;
    return isOn;
  }
}
