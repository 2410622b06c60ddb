import { applyInstruction } from '@gantry/sdk/builder';
import { nothingDone, variables } from '../stage/state.ts';
import type { Plan } from './planned.ts';

/** The folder is made where it is missing, and belongs to root. */
export const planWorkdir: Plan = ({ job, state, instruction }) => {
  const config = applyInstruction('WORKDIR', state.config, instruction.rest, variables(state, instruction.escape));
  const destination = config.WorkingDir ?? '/';
  return {
    config,
    createdBy: nothingDone(state, `WORKDIR ${destination}`),
    make: async () => {
      const tree = await job.request.engine.builds.openFiles([], { signal: job.signal });
      return {
        layer: { copies: [{ tree, sources: ['/'], destination, isMany: false }] },
        done: async () => tree[Symbol.asyncDispose](),
      };
    },
  };
};
