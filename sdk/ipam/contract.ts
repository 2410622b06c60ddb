/**
 * The IPAM contract: who has which address.
 *
 * Vocabulary: a *pool* is a subnet (and perhaps a range in it) that one network uses; an *owner* is an attachment id.
 *
 * Scenarios
 * - Network create: requestPool with the wished CIDR, or none: the driver chooses one that is in neither `exclude` (the host's routes
 *   and other networks) nor its own books. The same requestId again gives the same pool. Overlap: `forbidden`.
 * - Container start: requestAddress. The same owner again gets the same address. Taken: `already_exists`; none left: `exhausted`;
 *   outside the pool: `invalid_argument`.
 * - A pool's id is of one request: when its subnet goes to another request later, that is another id, so that a release that is asked for
 *   once more, because its answer got lost, frees nothing of somebody else's.
 * - Release of what is not there succeeds. After an engine crash the engine releases the owners that no longer live.
 */
export * from './generated.ts';
