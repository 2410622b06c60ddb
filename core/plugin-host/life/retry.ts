/** One try that is to come; a second one takes the place of the first. It does not keep the process alive. */
export class Retry {
  #timer: NodeJS.Timeout | undefined;

  in(ms: number, attempt: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(attempt, ms);
    this.#timer.unref();
  }

  forget(): void {
    clearTimeout(this.#timer);
  }
}
