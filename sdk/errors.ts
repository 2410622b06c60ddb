/**
 * The one catalogue of error codes. A code says what the caller can do about it, never where it happened.
 * Front ends and the wire each keep one exhaustive map from these codes to their own statuses.
 */
export const errorCodes = [
  /** The request is malformed or contradicts itself: change it, never retry as it is. */
  'invalid_argument',
  /** The named object does not exist. */
  'not_found',
  /** The object is there already, with other parameters. */
  'already_exists',
  /** The object is in a state, or in a use, that forbids this. */
  'conflict',
  /** Nothing to do: it is in the wished state already. */
  'not_modified',
  /** Another operation on the same key is under way; try again. */
  'aborted',
  /** Quota, disk, addresses, ports or processes are used up. */
  'exhausted',
  /** The caller, or the engine, may not do this. */
  'forbidden',
  /** Credentials are missing or wrong. */
  'unauthorized',
  /** The optional capability is not there. */
  'not_implemented',
  /** A driver or back end is down; the same call may work later. */
  'unavailable',
  /** No answer within the deadline; the outcome is unknown. */
  'deadline_exceeded',
  /** The caller went away. */
  'cancelled',
  /** A bug of ours or of a driver. */
  'internal',
  /** Stored bytes are not what was stored. */
  'data_loss',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

const brand = Symbol.for('gantry.error');

export interface ErrorFacts {
  /** What to do next, for humans; shown after the message. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Machine-readable reason within a contract, e.g. VOLUME_BUSY. */
  readonly reason?: string | undefined;
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  /** When the same call may be worth another try. */
  readonly retryAfterMs?: number | undefined;
}

/** The only error class that crosses a room's door. Recognise it with `GantryError.is`, which also works across copies of this module. */
export class GantryError extends Error {
  static {
    Object.defineProperty(GantryError.prototype, brand, { value: true });
    Object.defineProperty(GantryError.prototype, 'name', { value: 'GantryError' });
  }

  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly reason: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, { hint, cause, reason, facts, retryAfterMs }: ErrorFacts = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.reason = reason;
    this.facts = facts ?? {};
    this.retryAfterMs = retryAfterMs;
  }

  static is(value: unknown): value is GantryError {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

type Make = (message: string, facts?: ErrorFacts) => GantryError;
const make =
  (code: ErrorCode): Make =>
  (message, facts) =>
    new GantryError(code, message, facts);

export const invalidArgument = make('invalid_argument');
export const notFound = make('not_found');
export const alreadyExists = make('already_exists');
export const conflict = make('conflict');
export const notModified = make('not_modified');
export const aborted = make('aborted');
export const exhausted = make('exhausted');
export const forbidden = make('forbidden');
export const unauthorized = make('unauthorized');
export const notImplemented = make('not_implemented');
export const unavailable = make('unavailable');
export const deadlineExceeded = make('deadline_exceeded');
export const cancelled = make('cancelled');
export const internal = make('internal');
export const dataLoss = make('data_loss');

/** What went wrong first: taking things back may have failed after it. */
export function firstCause(error: unknown): unknown {
  return error instanceof SuppressedError ? firstCause(error.suppressed) : error;
}

/** The code of any thrown value; what is not ours is `internal`. An aborted signal's reason counts as `cancelled`. */
export function codeOf(thrown: unknown): ErrorCode {
  const error = firstCause(thrown);
  if (GantryError.is(error)) return error.code;
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'deadline_exceeded';
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  return 'internal';
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  const error = firstCause(thrown);
  return error instanceof Error ? error.message : String(error);
}

const errnoCodes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not_found',
  EEXIST: 'already_exists',
  EBUSY: 'conflict',
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  EMFILE: 'exhausted',
  ENFILE: 'exhausted',
  ENOMEM: 'exhausted',
  EAGAIN: 'exhausted',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  ENOSYS: 'not_implemented',
  EOPNOTSUPP: 'not_implemented',
  ENOTSUP: 'not_implemented',
  ETIMEDOUT: 'deadline_exceeded',
  EINVAL: 'invalid_argument',
  ENAMETOOLONG: 'invalid_argument',
  ELOOP: 'invalid_argument',
  // What a checksum does not fit to is read as these.
  EIO: 'data_loss',
  EUCLEAN: 'data_loss',
};

/** Wraps a system call's failure: keeps the errno, the call and the path as facts, and its plain words ("no space left on device") in the message. */
export function fromErrno(thrown: unknown, doing: string): GantryError {
  const error = firstCause(thrown);
  if (GantryError.is(error)) return error;
  const errno = errnoNameOf(error);
  const code = (errno === undefined ? undefined : errnoCodes[errno]) ?? 'internal';
  const { words } = namelessErrnos[numberOf(error)] ?? {};
  const message = words === undefined ? messageOf(error) : messageOf(error).replace(namelessText, `${errno}: ${words}`);
  return new GantryError(code, `${doing}: ${message}`, { cause: error, facts: { errno } });
}

/** The name of the errno that a thrown value carries, as ENOSPC; also of those that Node has no name for. */
export function errnoNameOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return namelessErrnos[numberOf(error)]?.name ?? error.code;
}

/** Those of Linux that a file system answers and Node (libuv) does not know, by Node's negative number. */
const namelessErrnos: Readonly<Record<number, { readonly name: string; readonly words: string }>> = {
  [-117]: { name: 'EUCLEAN', words: 'structure needs cleaning' },
  [-122]: { name: 'EDQUOT', words: 'disk quota exceeded' },
};
const namelessText = /^(UNKNOWN: unknown error|Unknown system error -\d+: Unknown system error -\d+)/;

function numberOf(error: unknown): number {
  return error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
}
