import type { BuildStep, ContainerConfig } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import type { Instruction } from '../parse/instruction.ts';
import type { StageState } from '../stage/state.ts';

/** The layer of a step, and what is to be cleared away when its image is made, or when it could not be. */
export interface MadeLayer {
  readonly layer: BuildStep['layer'];
  done(outcome: { readonly isWhole: boolean }): Promise<void>;
}

/** What a step will be, before anything of it is done. */
export interface Planned {
  readonly config: ContainerConfig;
  readonly createdBy: string;
  /** What makes the step what it is, besides its parent and `createdBy`; each stands for itself, the first is tried first. */
  readonly keys?: readonly (() => Promise<string>)[];
  /**
   * What makes the step's layer what it is, whatever it stands on: `COPY --link`. Where an image has a layer of this key, that layer is put
   * onto the parent, and nothing is done again.
   */
  readonly layerKey?: () => Promise<string>;
  readonly author?: string;
  readonly args?: ReadonlyMap<string, string | undefined>;
  readonly isCommandSet?: boolean;
  /** Without it the step makes no layer. `step` is the number of its events. */
  readonly make?: (step: number) => Promise<MadeLayer>;
  /** Closes what planning opened. */
  readonly close?: () => Promise<void>;
}

export interface Planning {
  readonly job: Job;
  readonly state: StageState;
  readonly instruction: Instruction;
  readonly stageIndex: number;
}
export type Plan = (planning: Planning) => Planned | Promise<Planned>;
