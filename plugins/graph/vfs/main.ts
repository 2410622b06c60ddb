import { definePlugin } from '@gantry/sdk';
import { Vfs } from './vfs.ts';

export default definePlugin({
  activate: async ({ dataDir }) => {
    const driver = new Vfs(dataDir);
    return { drivers: { graph: { vfs: driver } }, deactivate: () => driver.settled() };
  },
});
