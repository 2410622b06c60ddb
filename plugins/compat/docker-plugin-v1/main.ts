import { definePlugin, messageOf } from '@gantry/sdk';
import { DockerPlugins } from './plugins.ts';
import { settingsOf } from './settings.ts';

export default definePlugin({
  activate: async (host) => {
    const plugins = new DockerPlugins(host, settingsOf(host.config));
    return {
      drivers: {},
      find: (kind, name) => plugins.find(kind, name),
      names: (kind) => plugins.names(kind),
      configure: async (config) => {
        try {
          plugins.settings = settingsOf(config);
          return [];
        } catch (error) {
          return [{ path: '', message: messageOf(error), fatal: true }];
        }
      },
      deactivate: async () => plugins[Symbol.dispose](),
    };
  },
});
