/** What the life cycle asks of this room. */
import type { Abortable } from '@gantry/sdk';

/** What this room asks of the life cycle. */
export interface VolumeUsers {
  /** These containers do not see the volume any more, whatever is mounted anew elsewhere. */
  volumeBroke(containerIds: readonly string[], facts: { readonly volume: string; readonly reason: string }): void;
}

export interface EnsuredVolume {
  readonly name: string;
  readonly driver: string;
  readonly anonymous: boolean;
  readonly created: boolean;
  readonly isSnapshot: boolean;
  /** What is copied into it must not change owner and mode of its root. */
  readonly keepsRoot: boolean;
}

export interface AttachOptions extends Abortable {
  readonly readOnly: boolean;
  readonly destination?: string;
  readonly propagation?: string;
  /** Of the container. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The container that events name, where somebody else attaches for it; '' tells nobody. */
  readonly tellOf?: string;
}

export interface ContainerVolumes {
  /** The volume by name, made when it is missing (anonymous without a name). Also reports whether it was just made (then image content may be copied up). */
  ensure(request: {
    readonly name?: string;
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    /** It is to be mounted read-only; a snapshot can only be mounted so (`conflict`). */
    readonly readOnly?: boolean;
  }): Promise<EnsuredVolume>;
  /** Of options for a volume of this driver ("": the default one) those that may be shown. */
  shownOptions(driver: string, options: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  /** Records that the container refers to the volume, running or not; removal of the volume is then a conflict. */
  reference(containerId: string, name: string): void;
  unreference(containerId: string, name?: string): void;
  /** Mounts the volume (once for all its users) and answers the folder to bind. */
  attach(
    containerId: string,
    containerName: string,
    name: string,
    options: AttachOptions,
  ): Promise<{ readonly path: string; readonly showsHost: boolean }>;
  /** Undoes attach; the last one unmounts. */
  detach(containerId: string, name: string, options?: Pick<AttachOptions, 'tellOf'>): Promise<void>;
  /** Which of its volumes a container does not see any more, with why. Answers from memory. */
  broken(containerId: string): ReadonlyMap<string, string>;
  /** After an engine restart: the container still uses these. */
  adopt(containerId: string, names: readonly string[]): Promise<void>;
  /** Removes the anonymous volumes among these that nobody refers to any more (docker rm -v). */
  removeAnonymous(names: readonly string[]): Promise<void>;
  /** The folder shown as Source. */
  mountpoint(name: string): Promise<string>;
}
