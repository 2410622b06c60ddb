import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { definePlugin } from '@gantry/sdk';
import { build } from './build.ts';

export default definePlugin({
  activate: async ({ runDir, dataDir }) => {
    // What an engine that died had fetched.
    rmSync(join(dataDir, 'git'), { recursive: true, force: true });
    return {
      drivers: { builder: { dockerfile: { build: (request, ctx) => build({ ...request, runDir, dataDir }, ctx) } } },
      deactivate: async () => undefined,
    };
  },
});
