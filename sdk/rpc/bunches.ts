/** How the items of a stream go out. */
export interface Post {
  readonly item: (payload: Buffer) => void;
  /** What is held back goes now. */
  readonly flush: () => void;
}

/** So many items at most in one frame. */
export const bunch = 32;
const bunchBytes = 256 * 1024;

export function oneByOne(post: (payload: Buffer) => void): Post {
  return { item: post, flush: () => {} };
}

/** What is there at once goes in one frame; nothing waits longer than the turn in which it came. */
export function inBunches(post: (payloads: readonly Buffer[]) => void): Post {
  let payloads: Buffer[] = [];
  let sizeBytes = 0;
  const flush = (): void => {
    if (payloads.length > 0) post(payloads);
    [payloads, sizeBytes] = [[], 0];
  };
  return {
    item: (payload) => {
      if (payloads.length >= bunch || sizeBytes + payload.length > bunchBytes) flush();
      if (payloads.length === 0) setImmediate(flush);
      payloads.push(payload);
      sizeBytes += payload.length;
    },
    flush,
  };
}
