import { Metadata, status as grpcStatus } from '@grpc/grpc-js';
import { codeOf, type ErrorCode, firstCause, GantryError } from '@gantry/sdk';
import { textOf } from '../status.ts';
import { encode } from './messages.ts';

/** google.rpc.Status, as far as it is read and written here. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly StatusDetail[];
}
export interface StatusDetail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const codes = {
  invalid_argument: grpcStatus.INVALID_ARGUMENT,
  not_found: grpcStatus.NOT_FOUND,
  already_exists: grpcStatus.ALREADY_EXISTS,
  conflict: grpcStatus.FAILED_PRECONDITION,
  not_modified: grpcStatus.FAILED_PRECONDITION,
  aborted: grpcStatus.ABORTED,
  exhausted: grpcStatus.RESOURCE_EXHAUSTED,
  forbidden: grpcStatus.PERMISSION_DENIED,
  unauthorized: grpcStatus.UNAUTHENTICATED,
  not_implemented: grpcStatus.UNIMPLEMENTED,
  unavailable: grpcStatus.UNAVAILABLE,
  deadline_exceeded: grpcStatus.DEADLINE_EXCEEDED,
  cancelled: grpcStatus.CANCELLED,
  internal: grpcStatus.INTERNAL,
  data_loss: grpcStatus.DATA_LOSS,
} as const satisfies Record<ErrorCode, number>;

/** An error whose status is this one, whatever its own code says. */
export function statusError(status: GrpcStatus, cause?: unknown): GantryError {
  return new GantryError(codeOf(cause ?? undefined), status.message, { cause, reason: saysStatus, facts: { status } });
}
const saysStatus = 'GRPC_STATUS';

/** The status of any thrown value. */
export function grpcStatusOf(thrown: unknown): GrpcStatus {
  const error = firstCause(thrown);
  if (GantryError.is(error) && error.reason === saysStatus) return error.facts['status'] as GrpcStatus;
  return { code: codes[codeOf(error)], message: textOf(error), details: [] };
}

/** As grpc-js takes it. Details go into a trailer of their own, in which the whole status is said once more. */
export function serviceError(status: GrpcStatus): Error {
  const metadata = new Metadata();
  if (status.details.length > 0) metadata.set('grpc-status-details-bin', encode('Status', status));
  return Object.assign(new Error(status.message), { code: status.code, details: status.message, metadata });
}
