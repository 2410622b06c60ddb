import { definePlugin } from '@gantry/sdk';
import { Overlay2 } from './overlay2.ts';

export default definePlugin({
  activate: async ({ dataDir }) => {
    const driver = new Overlay2(dataDir);
    return { drivers: { graph: { overlay2: driver } }, deactivate: () => driver.settled() };
  },
});
