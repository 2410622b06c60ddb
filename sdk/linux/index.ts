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
export { attachLoop, type LoopDevice } from './loop.ts';
export { capabilityNames } from './capabilities.ts';
export { becomeUser, installSeccomp, mayAccess, setNoNewPrivileges, type Credentials } from './credentials.ts';
export { setFileOwner, withFileOwner, type FileOwner } from './file-owner.ts';
export { fstabFlags, mount, mountFlags, pivotRoot, setPropagation, umount2, unmountFlags } from './mount.ts';
export type { MountFlag, MountOptions, Propagation, UnmountFlag } from './mount.ts';
export { MappedFile } from './mapped-file.ts';
export { trimMemory } from './memory.ts';
export { isMountPoint, parseMountinfo, readMountinfo, type MountinfoEntry } from './mountinfo.ts';
export { mountOverlay, type Overlay } from './overlay.ts';
export { type Path } from './path.ts';
export { statxMount, uniqueMountId } from './statx.ts';
export {
  copyFileRange,
  fallocate,
  fallocateModes,
  ficlone,
  fileSystemMagic,
  flock,
  seekTo,
  syncFileSystem,
  syncfs,
  syncfsAside,
} from './file-data.ts';
export { TreeCopier } from './copy/tree-copier.ts';
export { chmodNoFollow, deviceNumbers, mknod, rename, renameFlags, setTimes, type Device, type Times } from './nodes.ts';
export {
  createSubvolume,
  deleteSubvolume,
  freezeSubvolume,
  reclaimSubvolumes,
  snapshotSubvolume,
  subvolumeAt,
} from './btrfs-subvolumes.ts';
export type { Subvolume } from './btrfs-calls.ts';
export { btrfsQuotaMode, createQuotaGroup, deleteQuotaGroup, enableBtrfsQuota, joinQuotaGroup, limitQuotaGroup } from './btrfs-quota.ts';
export type { BtrfsQuotaGroup, BtrfsQuotaMode } from './btrfs-quota.ts';
export { subvolumeUsage } from './btrfs-usage.ts';
export {
  closeOpened,
  memfdCreate,
  openat2,
  openInRoot,
  openPath,
  openUnnamed,
  publishFile,
  resolveFlags,
  sealFile,
  type OpenOptions,
} from './open.ts';
export { chdir, chroot, cloneFlags, setHostname, setns, threadId, umask, unshare, type CloneFlag } from './thread.ts';
export { createNetnsOf, isInUserNamespace, openUserNamespace } from './user-namespace.ts';
export { insideId, outsideId, rootOf, type IdMaps, type IdRange } from './id-maps.ts';
export { getXattr, listXattr, removeXattr, setXattr } from './xattr.ts';
export { limitProject, projectOf, projectQuotaState, projectUse, setProject, type ProjectUse } from './project-quota.ts';
export { exitNow, exitStatus, pidfdOpen, pidfdSendSignal, processStartTime, setChildSubreaper, setParentDeathSignal } from './process.ts';
export { signalName, waitpid, type ExitStatus } from './process.ts';
export { posixSpawn, type SpawnOptions } from './spawn.ts';
export { run, type RunOptions, type RunResult } from './run.ts';
export { UnixDatagramSocket } from './datagram.ts';
export { connectSeqpacket, SeqpacketSocket } from './seqpacket.ts';
export { SeqpacketListener } from './seqpacket-listener.ts';
export { pipe, readSome, unreadBytes } from './stream-calls.ts';
export { waitForExit, whenReadable, type WaitOptions } from './wait.ts';
export { Watch, type Interest } from './watch.ts';
export { createNetns, openNetns, removeNetns, withNetns, writeNetSysctl, type Netns } from './netns.ts';
export {
  boundSocketIn,
  closeOnExec,
  duplicate,
  listenOn,
  peerCredentials,
  setSocketOption,
  socketDomain,
  socketIn,
  type BoundSocketOptions,
} from './sockets.ts';
export { bridgePortRequest, linkAddRequests, linkDeleteRequest, linkSetRequest } from './links.ts';
export type {
  BridgeOptions,
  BridgePortOptions,
  Link,
  LinkChange,
  LinkKind,
  LinkProperties,
  LinkRef,
  LinkStatistics,
  VethPeer,
} from './links.ts';
export { type NftElement, type NftElementChange, NftElements } from './nft-elements.ts';
export { NftGenerations } from './nft-generations.ts';
export { forgetFlows, listFlows, type Flow, type FlowChoice } from './conntrack.ts';
export { ipBytes, ipText, prefixBytes, type IpBytes } from './ip.ts';
export type { NetlinkRequest } from './netlink-message.ts';
export { addressRequest, neighbourRequest, routeRequest, type Address, type Neighbour, type Route } from './routes.ts';
export { linkExists, linkIndex, Rtnetlink } from './rtnetlink.ts';
export { hasNft, nft, NftPlace, Nftables, type NftOptions } from './nftables.ts';
