/** What the raw plugin answers instead of what is right. */
export interface Raw {
  readonly driver: string;
  /** Fields of the handshake's answer, and the token that the proof is made with. */
  readonly handshake?: Readonly<Record<string, unknown>> & { readonly token?: string };
  /** Fields of the answer to Configure. */
  readonly offers?: Readonly<Record<string, unknown>>;
  /** Fields of the first line on stdout. */
  readonly line?: Readonly<Record<string, unknown>>;
  /** It says twice that it listens. */
  readonly repeats?: boolean;
  /** Of those that it serves. */
  readonly services?: readonly string[];
  /** Bytes by method of the volume contract. */
  readonly answers?: Readonly<Record<string, { readonly base64: string } | { readonly zeros: number }>>;
}
