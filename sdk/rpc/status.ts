import { codeOf, type ErrorCode, fromErrno, GantryError, messageOf } from '../errors.ts';
import { decode, encode } from './codec.ts';

/** An error as it crosses the wire: gRPC's status code, message, and the bytes of its details. */
export interface WireStatus {
  readonly code: number;
  readonly message: string;
  readonly details: Uint8Array | undefined;
}

/** https://grpc.io/docs/guides/status-codes/: the one map from our codes. */
const statusOf = {
  cancelled: 1,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  forbidden: 7,
  exhausted: 8,
  conflict: 9,
  not_modified: 9,
  aborted: 10,
  not_implemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthorized: 16,
} as const satisfies Record<ErrorCode, number>;

const codeOfStatus = new Map<number, ErrorCode>(Object.entries(statusOf).map(([code, status]) => [status, code as ErrorCode]));
codeOfStatus.set(9, 'conflict');
codeOfStatus.set(11, 'invalid_argument'); // OUT_OF_RANGE

const infoType = 'type.googleapis.com/google.rpc.ErrorInfo';

/** Of the metadata; facts of these names do not cross. */
const reserved: readonly string[] = ['hint', 'code', 'retryAfterMs'];

/** Messages cross the wire, stacks and causes do not. */
export function toStatus(error: unknown): WireStatus {
  const code = fullOr(codeOf(error), error);
  const status = statusOf[code];
  const message = messageOf(error).slice(0, 4096);
  const { hint, reason = '', facts = {}, retryAfterMs } = GantryError.is(error) ? error : {};
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(facts))
    if (!reserved.includes(key) && (typeof value === 'string' || typeof value === 'number')) metadata[key] = String(value).slice(0, 1024);
  if (hint !== undefined) metadata['hint'] = hint.slice(0, 1024);
  if (code === 'not_modified') metadata['code'] = code;
  if (retryAfterMs !== undefined) metadata['retryAfterMs'] = String(retryAfterMs);
  const info = encode('gantry.types.v1.ErrorInfo', { reason, domain: 'gantry.dev', metadata });
  return {
    code: status,
    message,
    details: encode('gantry.types.v1.ErrorStatus', { code: status, message, details: [{ typeUrl: infoType, value: info }] }),
  };
}

/** A naive driver lets through what the system says: that there is no room is nobody's bug. */
function fullOr(code: ErrorCode, error: unknown): ErrorCode {
  return code === 'internal' && fromErrno(error, '').code === 'exhausted' ? 'exhausted' : code;
}

interface Info {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a peer of any language answered; unknown codes are `internal`. */
export function fromStatus({ code, message, details }: WireStatus): GantryError {
  const {
    reason,
    metadata: { hint, code: exact, retryAfterMs: wait, ...facts },
  } = infoOf(details);
  const known = exact === 'not_modified' ? 'not_modified' : (codeOfStatus.get(code) ?? 'internal');
  return new GantryError(known, message, {
    hint,
    facts,
    ...(reason === '' ? {} : { reason }),
    ...(/^\d{1,12}(\.\d+)?$/.test(wait ?? '') ? { retryAfterMs: Number(wait) } : {}),
  });
}

function infoOf(details: Uint8Array | undefined): Info {
  const nothing: Info = { reason: '', metadata: {} };
  if (details === undefined) return nothing;
  try {
    const { details: list } = decode('gantry.types.v1.ErrorStatus', details) as {
      readonly details: readonly { readonly typeUrl: string; readonly value: Buffer }[];
    };
    const info = list.find(({ typeUrl }) => typeUrl === infoType);
    return info === undefined ? nothing : (decode('gantry.types.v1.ErrorInfo', info.value) as Info);
  } catch {
    return nothing;
  }
}
