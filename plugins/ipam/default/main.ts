import { definePlugin } from '@gantry/sdk';
import { DefaultIpam } from './driver.ts';
import { defaultBlocks, parseBlocks } from './blocks.ts';

export default definePlugin({
  activate: async ({ config, state }) => {
    const wished = config['defaultAddressPools'];
    const blocks = wished === undefined ? defaultBlocks : parseBlocks(wished);
    return { drivers: { ipam: { default: await DefaultIpam.open({ state, blocks }) } } };
  },
});
