import { definePlugin } from '@gantry/sdk';
import { LocalDriver } from './driver.ts';

export default definePlugin({
  activate: async ({ dataDir }) => ({ drivers: { volume: { local: new LocalDriver(dataDir) } } }),
});
