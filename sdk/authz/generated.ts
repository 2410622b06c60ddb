// Made by `npm run generate` of proto/gantry/authz/v1: change it there.
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface AuthzRequest {
  /** Whom the transport authenticated; empty on a unix socket. */
  readonly user: string;
  /** "TLS", or empty. */
  readonly authenticationMethod: string;
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  /** Names as HTTP/1.1 canonically writes them ("Content-Type"); credentials left out. */
  readonly headers: Readonly<Record<string, string>>;
  /** Absent when there is none, and when it is not JSON. */
  readonly body?: Buffer;
  /** PEM of the client's certificates, its own first. */
  readonly peerCertificates?: readonly string[];
}

export interface AuthzResponse {
  readonly request: AuthzRequest;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent for streams, and when it is not JSON. */
  readonly body?: Buffer;
}

export interface AuthzAnswer {
  readonly allow: boolean;
  /** Why not, for the user. */
  readonly message: string;
}

export interface AuthzDriver {
  authorizeRequest(request: AuthzRequest, ctx: Ctx): Promise<AuthzAnswer>;
  authorizeResponse(request: AuthzResponse, ctx: Ctx): Promise<AuthzAnswer>;
}

export const authzMethods = {
  authorizeRequest: { deadline: 'normal' },
  authorizeResponse: { deadline: 'normal' },
} as const satisfies ContractMethods<AuthzDriver>;
