/**
 * The authz contract: who may ask the API for what.
 *
 * Vocabulary
 * - *request*: one call of the engine's API, as it will be carried out: the method, the target as it was sent, the body byte for byte.
 * - *chain*: the authz drivers that the daemon's settings name, asked in their order; the first refusal counts.
 *
 * Scenarios
 * - Every request: authorizeRequest before anything is done; authorizeResponse with the same request before the answer is sent.
 * - The body is there only when it is JSON: of other content (tars, streams) drivers see headers alone. A JSON body that is longer than
 *   4 MiB never comes this far: such requests are refused.
 * - A driver that fails, or is not there, refuses: nothing is carried out that nobody allowed.
 */
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface AuthzRequest {
  /** The user whom the transport authenticated; empty on a unix socket. */
  readonly user: string;
  /** "TLS", or empty. */
  readonly authenticationMethod: string;
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  /** Names as HTTP/1.1 canonically writes them ("Content-Type"); credentials left out. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** PEM of the client's certificates, its own first. */
  readonly peerCertificates?: readonly string[];
}
export interface AuthzResponse extends AuthzRequest {
  readonly status: number;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBody?: Buffer;
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
