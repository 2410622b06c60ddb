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
export * from './generated.ts';
