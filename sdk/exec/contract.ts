/**
 * The exec contract: processes in containers.
 *
 * Vocabulary
 * - *bundle*: a folder with config.json (OCI runtime spec); the rootfs is mounted by the engine before create.
 * - *monitor*: the small process that owns one container's or exec's stdio, waits for it and writes down its exit code. It outlives the
 *   engine and the plugin, so containers do too.
 * - *streams*: where the engine finds a process's output and input: an attach socket (SOCK_SEQPACKET; packets from the monitor start with
 *   one byte, 2 stdout or 3 stderr; packets to it are stdin), a control pipe, and the spool file in CRI log format.
 * - *exit record*: the file that the monitor writes when the process ended; it is there after any crash of the engine.
 *
 * Scenarios
 * - create: the container's init exists and waits; start lets it run the user's program, whose output reaches all who attached before. create again for the same id and bundle: the
 *   same answer. A failure leaves nothing behind.
 * - exec: a further process in a running container, with streams and a monitor of its own; execStart lets it run once somebody listens.
 * - watch: exits as they happen; with `after` 0 first those that happened while nobody watched.
 * - delete removes the runtime's state of a stopped container; of an unknown one it succeeds; of a running one `conflict` unless `force`.
 *
 * Start failures carry a `reason`: `COMMAND_NOT_FOUND` (127), `COMMAND_NOT_EXECUTABLE` (126), else 128.
 */
export * from './generated.ts';
