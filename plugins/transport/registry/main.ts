import { definePlugin } from '@gantry/sdk';
import { RegistryDriver } from './driver.ts';
import { settingsOf } from './settings.ts';

export default definePlugin({
  activate: async ({ config }) => {
    const registry = new RegistryDriver(settingsOf(config));
    return { drivers: { transport: { registry } }, deactivate: async () => registry[Symbol.dispose]() };
  },
});
