import { definePlugin } from '@gantry/sdk';
import { OciDriver } from './driver.ts';

export default definePlugin({
  activate(host) {
    const driver = new OciDriver(host);
    return Promise.resolve({ drivers: { exec: { oci: driver } }, deactivate: () => driver.close() });
  },
});
