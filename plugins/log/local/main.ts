import { definePlugin } from '@gantry/sdk';
import { FileLogDriver } from '@gantry/sdk/log';
import { localFormat } from './frames.ts';

/** Docker's defaults: 100 MB of each container. */
const defaults = { maxBytes: 20 * 1024 * 1024, maxFiles: 5, compress: true };

export default definePlugin({
  activate: async () => ({ drivers: { log: { local: new FileLogDriver({ name: 'local', format: localFormat, defaults }) } } }),
});
