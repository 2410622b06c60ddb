import type { ContainerConfig } from '@gantry/sdk/engine';
import { type ExpandOptions, valueIn } from '@gantry/sdk/builder';

/** How far a stage is. */
export interface StageState {
  /** The image of the last step; '' when there is none yet. */
  readonly imageId: string;
  readonly config: ContainerConfig;
  readonly author: string;
  readonly platform: string;
  /** Build arguments that the stage declared, with their values. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** CMD was said in this stage, so ENTRYPOINT leaves it. */
  readonly isCommandSet: boolean;
  /** A step was not in the cache: nothing that stands on it can be. */
  readonly lastStep: number | undefined;
}

export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Variables as instructions of this stage see them: the image's count more than the build's. */
export function variables({ config, args }: Pick<StageState, 'config' | 'args'>, escape: string): ExpandOptions {
  return { escape, lookup: (name) => valueIn(config, name) ?? args.get(name) };
}

/** What a step that only says something is called in the history. */
export function nothingDone({ config }: Pick<StageState, 'config'>, said: string): string {
  return `${shellOf({ config }).join(' ')} #(nop) ${said}`;
}

export function shellOf({ config }: Pick<StageState, 'config'>): readonly string[] {
  return config.Shell ?? ['/bin/sh', '-c'];
}
