/** Builds: what a front end asks for, and what a builder makes images with. */
import type { Duplex } from 'node:stream';
import type { RegistryAuth } from '../transport/index.ts';
import type { Abortable } from '../types/index.ts';
import type { BuildHistory } from './build-history.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import type { Filtered } from './filters.ts';
import type { Progress } from './images.ts';

/** What a build is asked to do, in the words of Docker's POST /build. */
export interface BuildOptions {
  /** Path of the instructions in the context; "Dockerfile" when it is ''. */
  readonly dockerfile: string;
  /** Names of the image: full or familiar references. */
  readonly tags: readonly string[];
  /** Null: the value is what the builder's environment says, which is nothing. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Stages whose steps are not taken from the cache, or all. */
  readonly noCache: boolean | readonly string[];
  /** Base images are fetched even if they are here. */
  readonly pull: boolean;
  /** Containers of steps go when the step succeeded, and when it failed. */
  readonly remove: boolean;
  readonly forceRemove: boolean;
  /** Stage to end with, by name or number; '' the last one. */
  readonly target: string;
  /** "linux/amd64"; '' this machine's. */
  readonly platform: string;
  /** Images whose steps may be used as a cache. */
  readonly cacheFrom: readonly string[];
  /** Of the containers that run the steps: resources, network, hosts. */
  readonly hostConfig: HostConfig;
  /** What the Dockerfile may have for its steps, if it asks: "network.host", "security.insecure". Whoever wrote it is not whoever builds. */
  readonly allow?: readonly string[];
  /** By registry host. */
  readonly registryAuth: Readonly<Record<string, RegistryAuth>>;
}
/** Where the files come from. */
export type BuildContext =
  | { readonly kind: 'tar'; readonly tar: AsyncIterable<Buffer> }
  /** "https://…/context.tar.gz", "https://…/Dockerfile", "https://…/repository.git#branch:folder". `dockerfile`: the client has the Dockerfile. */
  | { readonly kind: 'remote'; readonly url: string; readonly dockerfile?: FolderFiles }
  /** Folders of the client's, of which it sends what is asked for; the Dockerfile may have one of its own. */
  | {
      readonly kind: 'folders';
      readonly files: (folder: 'context' | 'dockerfile', wanted: FilesWanted) => AsyncIterable<TreeFile>;
    };
export interface FilesWanted {
  /** Empty: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}
/** What a client sends of one of its folders. */
export type FolderFiles = (wanted: FilesWanted) => AsyncIterable<TreeFile>;
/** What a name stands for that whoever builds gives: FROM, `--from` and mounts find it before stages and images of that name. */
export type NamedSource =
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'folder'; readonly files: FolderFiles }
  /** The files of an OCI layout of one image, which the client has. */
  | { readonly kind: 'layout'; readonly files: () => AsyncIterable<TreeFile> }
  | { readonly kind: 'remote'; readonly url: string };

/** What becomes of a build, step by step. A `step` is a number that the events of one step share. */
export type BuildEvent =
  /** A step begins: "RUN make", 3 of 7. */
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly number: number;
      readonly total: number;
      /** Number of the stage, and its name. */
      readonly stage: number;
      readonly stageName: string;
      readonly text: string;
      /** Written in the base image with ONBUILD. */
      readonly isTrigger: boolean;
      /** Steps that had to be done before. */
      readonly after: readonly number[];
    }
  | { readonly kind: 'container'; readonly step: number; readonly id: string; readonly isRemoved: boolean }
  | { readonly kind: 'output'; readonly step: number; readonly source: 'stdout' | 'stderr'; readonly data: Buffer }
  | { readonly kind: 'progress'; readonly step: number; readonly progress: Progress }
  | { readonly kind: 'warning'; readonly step?: number; readonly text: string }
  /** The image that the step made, which was there when `isCached`. */
  | { readonly kind: 'done'; readonly step: number; readonly imageId: string; readonly isCached: boolean }
  | { readonly kind: 'failed'; readonly step: number; readonly error: unknown }
  /** The image of a stage, of which no more comes. */
  | { readonly kind: 'stage'; readonly stage: number; readonly imageId: string }
  | { readonly kind: 'tagged'; readonly reference: string };

export interface BuildImage extends BuildOptions, Abortable {
  readonly context: BuildContext;
  readonly onEvent: (event: BuildEvent) => void;
  /** Waited for before a step's further output is read: whoever is slow holds up the step, and nothing piles up. */
  readonly taken?: () => Promise<void> | undefined;
  /** Credentials of whoever builds that are only told when they are needed. */
  readonly auth?: (host: string) => Promise<RegistryAuth | undefined>;
  /** A secret of whoever builds; undefined: there is none of this name. */
  readonly secret?: (id: string, options: Abortable) => Promise<Buffer | undefined>;
  /** What opens connections to an ssh agent of whoever builds; undefined: none of this name is forwarded. */
  readonly ssh?: (id: string, options: Abortable) => Promise<(() => Duplex) | undefined>;
  /** By the names that instructions use. */
  readonly contexts?: Readonly<Record<string, NamedSource>>;
  /** Images at registries whose steps may be used as a cache; they are fetched when a step is not here. One that cannot be fetched is a warning. */
  readonly cacheFromRegistry?: readonly string[];
  /** How the history knows the build: an id that no other has, else one is made; names that it gets elsewhere; and what the client says of it. */
  readonly record?: { readonly id?: string; readonly tags?: readonly string[]; readonly attributes?: Readonly<Record<string, string>> };
}

/** Files that steps copy from: a context, or the files of an image. Gone when it is disposed. */
export interface BuildTree extends AsyncDisposable {
  readonly id: string;
  /** The file at a path, symlinks followed inside the tree; undefined: there is none. `invalid_argument` when it is larger or no file. */
  readFile(path: string, options: { readonly mostBytes: number }): Promise<Buffer | undefined>;
  /** "file:…", "dir:…" or "multi:…": what is chosen, without times. `invalid_argument` with reason SOURCE_NOT_FOUND for what is nothing. */
  digest(choice: CopyChoice, options?: Abortable): Promise<string>;
  /** A digest of the folders and links that lead to a path, or to where one would be, without times: what a copy to there goes by. */
  way(path: string, options?: Abortable): Promise<string>;
}
export interface TreeFile {
  /** Path in the tree, relative. */
  readonly name: string;
  /** A file unless it is said; a link is one to another file of the same tree. */
  readonly kind?: 'file' | 'folder' | 'symlink' | 'link' | 'fifo';
  readonly target?: string;
  readonly content: AsyncIterable<Buffer>;
  readonly mode: number;
  readonly mtimeSeconds: number;
}
/** The files of an image, to be handed out. Gone when it is disposed. */
export interface ImageFiles extends AsyncDisposable {
  /** All of them, as one archive. */
  tar(): AsyncIterable<Buffer>;
  /** Folders before what is in them, names in a folder sorted by bytes; contents may be read in any order until it is disposed. */
  list(): Promise<readonly ImageFile[]>;
}
export interface ImageFile {
  /** Path without a slash at its beginning. */
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'symlink' | 'link' | 'fifo' | 'device';
  /** Of a symlink, and of a link the name of the first file. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  content(): AsyncIterable<Buffer>;
}
export interface CopyChoice {
  /** Paths from the root of the tree, or patterns of Go's filepath.Match. */
  readonly sources: readonly string[];
  /** As in a .dockerignore. */
  readonly exclude?: readonly string[];
  /** Keeps the folders above each source. */
  readonly parents?: boolean;
}
/** One copy of files from a tree into an image. */
export interface Copy extends CopyChoice {
  readonly tree: BuildTree;
  /** Absolute; a slash at the end makes it a folder. */
  readonly destination: string;
  /** The destination must be a folder. */
  readonly isMany: boolean;
  /** USER[:GROUP] of the image or numbers; absent: 0:0, or for files of an image those they have. */
  readonly owner?: string;
  /** Permission bits, or what becomes of those that a file has. */
  readonly mode?: number | readonly ModeChange[];
  /** Archives among the sources are unpacked. */
  readonly unpack?: boolean;
}
/** Takes permission bits away, then gives some; `setExecutable` only to folders and to what somebody may execute. */
export interface ModeChange {
  readonly clear: number;
  readonly set: number;
  readonly setExecutable: number;
}
/** An image that stands on another. */
export interface BuildStep {
  /** Image id; '' nothing. */
  readonly parent: string;
  readonly config: ContainerConfig;
  readonly platform?: string;
  readonly author?: string;
  readonly createdBy: string;
  readonly comment?: string;
  /** RFC 3339; now unless given. Given, no file of the layer is younger. */
  readonly created?: string;
  /** What it adds: copies, what a container changed (but for places that were made for its mounts and hold nothing), a layer (from 0, the lowest) of an image. Absent: nothing. */
  readonly layer?:
    | { readonly copies: readonly Copy[] }
    | { readonly container: string; readonly mountPoints?: readonly string[] }
    | { readonly like: string; readonly layer: number };
  /** Remembered in the cache under each of these keys. */
  readonly cacheKeys: readonly string[];
}
export interface CacheRecord {
  readonly id: string;
  /** A step's image, or what `RUN --mount=type=cache` keeps. */
  readonly kind: 'regular' | 'exec.cachemount';
  readonly parent: string;
  readonly description: string;
  readonly inUse: boolean;
  readonly shared: boolean;
  readonly sizeBytes: number;
  readonly createdMs: number;
  readonly usedMs: number;
  readonly uses: number;
}
/** How much of a cache is left by a prune; without any of them nothing is. 0 counts as not given. */
export interface CacheLimits {
  /** This much stays, whatever the others say. */
  readonly keepBytes?: number;
  /** No more than this stays. */
  readonly mostBytes?: number;
  /** As much goes as makes this much free on the disk. */
  readonly freeBytes?: number;
}
export interface Builds {
  /** Builds by the builder plugin; `not_implemented` when there is none. Abort ends the running steps and leaves what is done in the cache. */
  build(request: BuildImage): Promise<{ readonly id: string }>;
  /** Removes cached steps that no named image and no container needs, those unused for longest first, until what is to be kept is left. */
  prune(
    request: Filtered & { readonly all?: boolean } & CacheLimits & Abortable,
  ): Promise<{ readonly deleted: readonly string[]; readonly spaceReclaimed: number }>;
  /** What of the cache `filters` mean, in the words of `prune`. */
  cache(request?: Filtered): Promise<readonly CacheRecord[]>;
  readonly history: BuildHistory;
  /** The files that an image has. */
  files(image: string, options?: Abortable): Promise<ImageFiles>;

  /** For builders: the files of an archive, compressed or not. Nothing of it is unpacked. */
  openArchive(tar: AsyncIterable<Buffer>, options?: Abortable): Promise<BuildTree>;
  /** For builders: a tree of these files alone. The content of one is read before the next is asked for. */
  openFiles(files: Iterable<TreeFile> | AsyncIterable<TreeFile>, options?: Abortable): Promise<BuildTree>;
  /** For builders: the image that the files of an OCI layout are; without a name, unless it has one here already. */
  loadLayout(files: AsyncIterable<TreeFile>, options?: Abortable): Promise<{ readonly id: string }>;
  /** For builders: the files of an image. */
  openImage(image: string, options?: Abortable): Promise<BuildTree>;
  /** For builders: a step's image, durable when it resolves; a failure leaves nothing. */
  compose(step: BuildStep & Abortable): Promise<{ readonly id: string }>;
  /** For builders: the image that a step with this key made, if it is still here. Looking counts as a use. */
  cached(key: string): string | undefined;
}
