import type { ExecDriver } from '../exec/contract.ts';
import { definePlugin, type PluginModule } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { type About, manifestOf } from './manifest.ts';
import type { NoProperties, Properties, PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

export interface ExecAuthor<S extends Properties> extends Omit<About<NoProperties, S>, 'options'> {
  readonly features?: readonly string[];
  /** The driver, once per start of the plugin. */
  open(tools: Tools<PropertiesOf<S>>): ExecDriver | Promise<ExecDriver>;
  /** Ends what `open` began. Containers live on. */
  close?(driver: ExecDriver): Promise<void> | void;
}

/**
 * A plugin with one exec driver. The contract is as large as a container's life, so the author writes the driver; the manifest, the settings
 * and the self-test come from here.
 */
export function exec<const S extends Properties = NoProperties>(author: ExecAuthor<S>): PluginModule {
  return definePlugin({
    manifest: { ...manifestOf('exec', author, author.features ?? []), placement: ['in-process'] },
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      const ctx: Pick<Ctx, 'signal' | 'log'> = { signal: host.signal, log: host.log };
      const driver = await author.open(toolbox.for(ctx));
      return {
        drivers: { exec: { [author.name]: driver } },
        selfTest: async () => [toolbox.check()],
        deactivate: async () => author.close?.(driver),
      };
    },
  });
}
