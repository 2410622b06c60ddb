export { bindMount, type BindMountOptions } from './mounts/bind-mount.ts';
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
} from './mounts/mount-api.ts';
export { attachLoop, type LoopDevice } from './mounts/loop.ts';
export { capabilityNames } from './processes/capabilities.ts';
export { becomeUser, installSeccomp, mayAccess, setNoNewPrivileges, type Credentials } from './processes/credentials.ts';
export { setFileOwner, withFileOwner, type FileOwner } from './files/file-owner.ts';
export { fstabFlags, mount, mountFlags, pivotRoot, setPropagation, umount2, unmountFlags } from './mounts/mount.ts';
export type { MountFlag, MountOptions, Propagation, UnmountFlag } from './mounts/mount.ts';
export { MappedFile } from './files/mapped-file.ts';
export { trimMemory } from './memory.ts';
export { isMountPoint, parseMountinfo, readMountinfo, type MountinfoEntry } from './mounts/mountinfo.ts';
export { mountOverlay, type Overlay } from './mounts/overlay.ts';
export { type Path } from './path.ts';
export { statxMount, uniqueMountId } from './files/statx.ts';
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
} from './files/file-data.ts';
export { type Name } from './files/at.ts';
export { FileFacts } from './files/facts.ts';
export { entryTypes, FolderListing } from './files/listing.ts';
export { TreeCopier } from './copy/tree-copier.ts';
export { chmodNoFollow, deviceNumbers, mknod, rename, renameFlags, setTimes, type Device, type Times } from './files/nodes.ts';
export {
  createSubvolume,
  deleteSubvolume,
  freezeSubvolume,
  reclaimSubvolumes,
  snapshotSubvolume,
  subvolumeAt,
} from './btrfs/subvolumes.ts';
export type { Subvolume } from './btrfs/calls.ts';
export { btrfsQuotaMode, createQuotaGroup, deleteQuotaGroup, enableBtrfsQuota, joinQuotaGroup, limitQuotaGroup } from './btrfs/quota.ts';
export type { BtrfsQuotaGroup, BtrfsQuotaMode } from './btrfs/quota.ts';
export { subvolumeUsage } from './btrfs/usage.ts';
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
} from './files/open.ts';
export { chdir, chroot, cloneFlags, setHostname, setns, threadId, umask, unshare, type CloneFlag } from './processes/thread.ts';
export { createNetnsOf, isInUserNamespace, openUserNamespace } from './processes/user-namespace.ts';
export { insideId, outsideId, rootOf, type IdMaps, type IdRange } from './processes/id-maps.ts';
export { getXattr, listXattr, removeXattr, setXattr } from './files/xattr.ts';
export { limitProject, projectOf, projectQuotaState, projectUse, setProject, type ProjectUse } from './files/project-quota.ts';
export {
  exitNow,
  exitStatus,
  pidfdOpen,
  pidfdSendSignal,
  processStartTime,
  setChildSubreaper,
  setParentDeathSignal,
} from './processes/process.ts';
export { signalName, waitpid, type ExitStatus } from './processes/process.ts';
export { posixSpawn, type SpawnOptions } from './processes/spawn.ts';
export { run, type RunOptions, type RunResult } from './processes/run.ts';
export { UnixDatagramSocket } from './sockets/datagram.ts';
export { connectSeqpacket, SeqpacketSocket } from './sockets/seqpacket.ts';
export { SeqpacketListener } from './sockets/seqpacket-listener.ts';
export { pipe, readSome, unreadBytes } from './sockets/stream-calls.ts';
export { waitForExit, whenReadable, type WaitOptions } from './processes/wait.ts';
export { Watch, type Interest } from './sockets/watch.ts';
export { createNetns, openNetns, removeNetns, withNetns, writeNetSysctl, type Netns } from './net/netns.ts';
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
} from './sockets/sockets.ts';
export { bridgePortRequest, linkAddRequests, linkDeleteRequest, linkSetRequest } from './net/links.ts';
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
} from './net/links.ts';
export { type NftElement, type NftElementChange, NftElements } from './net/nft-elements.ts';
export { NftGenerations } from './net/nft-generations.ts';
export { forgetFlows, listFlows, type Flow, type FlowChoice } from './net/conntrack.ts';
export { ipBytes, ipText, prefixBytes, type IpBytes } from './net/ip.ts';
export type { NetlinkRequest } from './net/netlink-message.ts';
export { addressRequest, neighbourRequest, routeRequest, type Address, type Neighbour, type Route } from './net/routes.ts';
export { linkExists, linkIndex, Rtnetlink } from './net/rtnetlink.ts';
export { hasNft, nft, NftPlace, Nftables, type NftOptions } from './net/nftables.ts';
