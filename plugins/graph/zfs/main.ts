import { definePlugin } from '@gantry/sdk';
import { settingsOf } from './settings.ts';
import { Zfs } from './zfs.ts';

export default definePlugin({
  activate: async ({ dataDir, config, log }) => {
    const driver = new Zfs(dataDir, { ...settingsOf(config), log });
    return { drivers: { graph: { zfs: driver } }, deactivate: () => driver.settled() };
  },
});
