/**
 * The graph contract: where the files of image layers and containers live.
 *
 * Vocabulary
 * - *snapshot*: one directory tree's changes over its parents, named by a `key` that the engine chose and never uses again.
 * - *chain*: the committed ancestors of a snapshot, nearest first. The engine keeps it and sends it with every request,
 *   so a driver needs no database.
 * - *prepared*: writable, private to one unpacking or one container. *committed*: never changes again, may be a parent.
 * - *attachment*: a description of the mounts that show a snapshot; the engine makes and undoes them.
 * - *view*: `merged` is the whole tree a container sees; `changes` is only what the snapshot itself adds, with whiteouts in overlayfs' form
 *   (character device 0:0, xattr trusted.overlay.opaque=y, in a user namespace user.overlay.opaque=y). Only drivers with the feature `changes` are asked for it.
 *
 * Scenarios
 * - Unpacking a layer: prepare(key, chain), attach(key, chain, writable), the engine writes the files, detach, commit(key → name).
 *   With the feature `changes` several layers of one image are unpacked at once: the parents named may then still be prepared, and are
 *   committed first. A layer may even be unpacked before its parents are known: prepared with an empty chain, and committed with the
 *   chain that counts from then on.
 * - Running a container: prepare(key, chain of the image), attach(key, chain, writable) at each start, detach at each stop, remove at the end.
 * - Looking into an image: attach(name, chain, readOnly).
 * - A crash between prepare and commit: the engine removes the key when it starts again.
 *
 * Every method may be called again with the same parameters and then gives the same answer; with other parameters for the same key it
 * fails with `already_exists`. Removing or detaching what is not there succeeds. Any key may be attached read-only any number of times, a
 * prepared one writable once: by another attachment id it is refused with `conflict` as long as the first is mounted and not detached.
 *
 * Limits: `quotaBytes` of prepare is kept by a driver that can (quota groups, data sets), or repeated in each mount that it describes: the
 * engine then sets a project quota on the folders that are written to, before it mounts them.
 */
export * from './generated.ts';
