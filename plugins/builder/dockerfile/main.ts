import { definePlugin } from '@gantry/sdk';
import { build } from './build.ts';

export default definePlugin({
  activate: async ({ runDir }) => ({
    drivers: { builder: { dockerfile: { build: (request, ctx) => build({ ...request, runDir }, ctx) } } },
    deactivate: async () => undefined,
  }),
});
