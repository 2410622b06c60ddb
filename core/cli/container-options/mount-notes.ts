/** What `-v` and `--mount` take beyond their one line: for the help of what makes containers. */
export const mountNotes = `-v takes after the second colon, with commas: ro, nocopy (a volume), private, rshared, … (a bind), idmap=….
--mount takes
  type=bind    source, readonly, bind-propagation=rprivate|private|rshared|shared|rslave|slave, bind-create-src, idmap,
               bind-recursive=enabled|disabled|writable|readonly: mounts below it are there, are not, or with readonly stay writable, must be read-only
  type=volume  source, readonly, volume-nocopy (nothing of the image goes in), volume-subpath, volume-driver, volume-opt, volume-label, idmap
  type=tmpfs   tmpfs-size, tmpfs-mode
  type=image   source (an image), image-subpath; it is read-only
idmap=uids=DISK-SEEN-COUNT[#…];gids=… shows owners on the disk as others inside: idmap=uids=1000-0-1;gids=1000-0-1 shows what user 1000 has as root's.
idmap alone is for containers with a user namespace of their own (userns-remap): each owner on the disk is that user of the container.`;
