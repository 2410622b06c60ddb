import { definePlugin } from '@gantry/sdk';
import { FuseOverlayfs } from './fuse-overlayfs.ts';

export default definePlugin({
  activate: async ({ dataDir }) => {
    const driver = new FuseOverlayfs(dataDir);
    return { drivers: { graph: { 'fuse-overlayfs': driver } }, deactivate: () => driver.settled() };
  },
});
