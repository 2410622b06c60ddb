/** Calls under way whose driver may tell that it goes on, by operation id. */
const underWay = new Map<string, () => void>();

/** As long as the answer is not disposed of, `tellProgress` with this id calls back. */
export function expectProgress(operationId: string, onProgress: () => void): Disposable {
  underWay.set(operationId, onProgress);
  return { [Symbol.dispose]: () => underWay.delete(operationId) };
}

/** Starts the deadline of a call anew. Of a call that is over, or of none: nothing. */
export function tellProgress(operationId: string): void {
  underWay.get(operationId)?.();
}
