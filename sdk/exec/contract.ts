/**
 * The exec contract: processes in containers.
 *
 * Vocabulary
 * - *bundle*: a folder with config.json (OCI runtime spec); the rootfs is mounted by the engine before create.
 * - *monitor*: the small process that owns one container's or exec's stdio, waits for it and writes down its exit code. It outlives the
 *   engine and the plugin, so containers do too.
 * - *streams*: where the engine finds a process's output and input: an attach socket (SOCK_SEQPACKET; packets from the monitor start with
 *   one byte, 2 stdout or 3 stderr; packets to it are stdin), a control pipe, and the spool file in CRI log format.
 * - *description*: a process as data, by a driver that does not run it. The engine checks it against what the plugin was granted; a driver
 *   with the feature `monitor` runs it.
 * - *exit record*: the file that the monitor writes when the process ended; it is there after any crash of the engine.
 *
 * Scenarios
 * - create: the container's init exists and waits; start lets it run the user's program, whose output reaches all who attached before. create again for the same id and bundle: the
 *   same answer. A failure leaves nothing behind.
 * - exec: a further process in a running container, with streams and a monitor of its own; execStart lets it run once somebody listens.
 * - watch: exits as they happen, to all who watch; with `after` 0 first those that happened while nobody watched. Abort: its reason.
 * - delete removes the runtime's state of a stopped container; of an unknown one it succeeds; of a running one `conflict` unless `force`.
 * - describe: the same container has the same answer; it is asked at each start, and nobody is asked when a container is stopped, looked at
 *   or deleted. A container that the driver cannot run: `invalid_argument`.
 * - create with `command`, of a driver with the feature `monitor`: as with a runtime of its own, in all that follows, also after a restart.
 *
 * Start failures carry a `reason`: `COMMAND_NOT_FOUND` (127), `COMMAND_NOT_EXECUTABLE` (126), else 128.
 */
import type { ExecDriver } from './generated.ts';

export * from './generated.ts';

/** A driver that runs nothing itself. */
export type DescribingExecDriver = Required<Pick<ExecDriver, 'describe'>>;

export function isDescribing(driver: ExecDriver | DescribingExecDriver): driver is DescribingExecDriver {
  return typeof driver.describe === 'function';
}
