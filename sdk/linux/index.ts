export { bindMount, type BindMountOptions } from './bind-mount.ts';
export { checked, errnoError, isErrno, type ErrnoPlace, type SystemCallError } from './errno.ts';
export {
  fsconfigCreate,
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  mountAttributes,
  mountSetattr,
  moveMount,
  openTree,
  type MountAttributeChange,
  type OpenTreeOptions,
} from './mount-api.ts';
export { mount, mountFlags, setPropagation, umount2, unmountFlags } from './mount.ts';
export type { MountFlag, MountOptions, Propagation, UnmountFlag } from './mount.ts';
export { isMountPoint, parseMountinfo, readMountinfo, type MountinfoEntry } from './mountinfo.ts';
export { mountOverlay, type Overlay } from './overlay.ts';
export { type Path } from './path.ts';
export { statxMount } from './statx.ts';
