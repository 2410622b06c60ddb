/**
 * The volume contract: named storage that outlives containers.
 *
 * Vocabulary
 * - *volume*: named by the user; the driver keeps its data, the engine its record (driver, options, labels).
 * - *attachment*: one container's use of a volume. The driver describes mounts; the engine makes them below a folder of its own
 *   and binds the result into the container.
 * - *consumer*: the container that asks.
 * - *secret*: an option that the manifest marks `x-secret`. The engine keeps it apart, hands it to create and attach alone, and shows it nowhere;
 *   the driver does neither keep nor show it.
 *
 * Scenarios
 * - `docker volume create`: create. Same name, same options again: the same answer. Other options: `already_exists`.
 * - Container start: attach(name, attachmentId); container stop: unmount, detach with `last` when no other container uses the volume.
 * - Engine restart: attachments of running containers stay; the engine asks stat when it wants to know.
 * - Remove while attached: `conflict`, unless `force`. Remove of an unknown name succeeds.
 */
export * from './generated.ts';
