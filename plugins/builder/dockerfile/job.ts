import type { Ctx } from '@gantry/sdk';
import type { BuildRequest } from '@gantry/sdk/builder';
import type { BuildTree } from '@gantry/sdk/engine';
import type { NamedContext } from './named.ts';
import type { Dockerfile } from './parse/stages.ts';
import type { CacheImages } from './stage/cache-images.ts';
import type { StageState } from './stage/state.ts';

export interface DockerfileRequest extends BuildRequest {
  /** Where files may lie for as long as a step runs. */
  readonly runDir: string;
  /** Where files may lie that are too many for memory, for as long as a build runs. */
  readonly dataDir: string;
}

/** One build: what all of its steps know. */
export interface Job {
  readonly request: DockerfileRequest;
  readonly ctx: Ctx;
  /** Aborted when the client went away, and when any step failed. */
  readonly signal: AbortSignal;
  readonly dockerfile: Dockerfile;
  /** The files of the context. */
  context(): Promise<BuildTree>;
  /** What of the context no step sees. */
  readonly excluded: readonly string[];
  /** What whoever builds calls so (`--build-context`): it goes before stages and images of that name. */
  named(word: string): NamedContext | undefined;
  readonly cacheImages: CacheImages;
  /** RFC 3339, from SOURCE_DATE_EPOCH. */
  readonly created: string | undefined;
  /** Values that are there without being declared: of ARGs before the first FROM, platforms. For FROM alone, and for ARGs without a value. */
  readonly globals: ReadonlyMap<string, string>;
  /** Build arguments that something asked for. */
  readonly consumed: Set<string>;
  /** The numbers of the steps, which the events carry. */
  readonly numbers: { next: number };
  /** How a stage ends; begun already or not. */
  stage(index: number): Promise<StageState>;
}
