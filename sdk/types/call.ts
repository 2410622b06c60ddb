/** What every driver method receives as its second argument. */
export interface Ctx {
  /** Aborted when the caller went away or the deadline passed; stop, undo what is half done, and reject with the signal's reason. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** For tracing; not a key for de-duplication. */
  readonly operationId: string;
}

/** The subset of pino's logger that the engine hands out. */
export interface Logger {
  debug(fields: object | string, message?: string): void;
  info(fields: object | string, message?: string): void;
  warn(fields: object | string, message?: string): void;
  error(fields: object | string, message?: string): void;
  child(bindings: Record<string, unknown>): Logger;
}

export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** fast 2 s, normal 30 s, long 10 min with progress, stream 30 s between messages. */
export type DeadlineClass = 'fast' | 'normal' | 'long' | 'stream';

/** What the guard needs to know of one method of a contract. */
export interface MethodOptions {
  readonly deadline: DeadlineClass;
  /** Optional methods name the feature that a driver advertises by having the method. */
  readonly feature?: string;
  /** Calls with an equal value of this request field are serialised. */
  readonly key?: string;
  /** 'stream': the method returns an AsyncIterable. */
  readonly answer?: 'unary' | 'stream';
}

/** One contract's methods by name: the guard, and later the remote adapters, are driven by this table alone. */
export type ContractMethods<T> = { readonly [Name in keyof Required<T>]: MethodOptions };
