import type { Api } from '../support/clients/api.ts';

/** Something that a client asks for and that a crash may interrupt at any of its failpoints. */
export interface Operation {
  /** In the order in which they are passed. */
  readonly failpoints: readonly string[];
  /** Makes what the request needs; the engine has the busybox image. */
  readonly prepare: (api: Api) => Promise<void>;
  /** The request. Resolves when it was acknowledged. */
  readonly ask: (api: Api) => Promise<void>;
  /** Throws unless the outcome is whole: done, or as if never asked. What was acknowledged must be done. */
  readonly check: (api: Api, outcome: Outcome) => Promise<void>;
  /** Removes all of it, as a client would, done or not. */
  readonly clean: (api: Api) => Promise<void>;
}

export interface Outcome {
  readonly acknowledged: boolean;
}
