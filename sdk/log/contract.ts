/**
 * The log contract: where a container's output goes.
 *
 * Vocabulary
 * - *spool*: the bounded files into which the container's monitor writes, in CRI format; the engine's. A driver can never block a container.
 * - *batch*: consecutive entries with the sequence number of the first; numbers count entries per stream, starting at 1, without gaps.
 * - *ack*: the highest sequence number that the driver has stored for good. The engine trims and resumes behind it (at least once).
 * - *stream*: one container and one driver, named by `streamId`, kept over engine restarts.
 *
 * Scenarios
 * - Start: the engine opens `write` with an `open` message, then sends batches; the driver yields acks as it stores them. A driver that
 *   knows what it stored for this `streamId` may answer `open` with that ack. A new `streamId` counts from 1 again.
 * - Break: the engine opens again and resends from the last ack; a driver may see an entry twice and drops what it has.
 * - Stop: a `close` message; the driver flushes within the deadline and ends its answer.
 * - `docker logs`: `read` when the driver has it, else the engine reads the spool. The first answer comes at once, empty when there is
 *   nothing yet, and carries the attributes. With `follow` it ends when the container's stream got its `close` and everything was
 *   delivered, or when `until` has passed; without an open stream at the end of what is stored.
 * - Remove: `purge` deletes what the driver keeps for the container; the second call does nothing.
 */
export * from './generated.ts';
