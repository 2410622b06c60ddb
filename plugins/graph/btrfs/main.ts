import { definePlugin } from '@gantry/sdk';
import { Btrfs } from './btrfs.ts';
import { settingsOf } from './settings.ts';

export default definePlugin({
  activate: async ({ dataDir, config }) => {
    const driver = new Btrfs(dataDir, settingsOf(config));
    return { drivers: { graph: { btrfs: driver } }, deactivate: () => driver.settled() };
  },
});
