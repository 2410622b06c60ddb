import type { Option } from 'commander';
import { text, value } from '../../option.ts';
import { parseInteger } from '../../parse/integer.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

interface StopFlags {
  readonly timeout?: number;
  readonly signal?: string;
}

const options = (): readonly Option[] => [
  value('-t, --timeout <seconds>', 'How long it may take before it is killed; -1 is without limit', parseInteger(-1)),
  value('-s, --signal <signal>', 'Signal that asks it to stop', text),
];

export const stop = verb<StopFlags>({
  arguments: '<container...>',
  options: options(),
  async action(context, names, { timeout: timeoutSeconds, signal }) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await containers.stop(name, { timeoutSeconds, signal });
      return name;
    });
  },
});

export const restart = verb<StopFlags>({
  arguments: '<container...>',
  options: options(),
  async action(context, names, { timeout: timeoutSeconds, signal }) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await containers.restart(name, { timeoutSeconds, signal });
      return name;
    });
  },
});
