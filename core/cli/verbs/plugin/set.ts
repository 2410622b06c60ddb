import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { list } from '../../option.ts';
import { parseAssignment } from '../../parse/key-value.ts';
import { refuse } from '../../parse/refuse.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';
import { secretOption } from './secret-option.ts';

interface Flags {
  readonly reset: readonly string[];
  readonly secret: readonly (readonly [key: string, value: string])[];
}

export const setPlugin = verb<Flags>({
  arguments: '<plugin> [KEY=value...]',
  options: [secretOption, list('--reset <KEY>', 'Back to its default', parseKey)],
  notes: `All of them or, when one is refused, none. A plugin that runs takes them at once, or by a new generation beside the old one.
Which settings there are, the plugin's documentation says; what is set, gantry plugin inspect shows (of secrets only that they are).

  gantry plugin set acme.nfs SERVER=files.example RETRIES=3
  gantry plugin set acme.nfs --secret TOKEN=/root/nfs-token
  gantry plugin set acme.nfs --reset RETRIES`,
  async action(context, [name = '', ...assignments], { reset, secret }) {
    if (assignments.length + secret.length + reset.length === 0) {
      throw invalidArgument('nothing to set', { hint: 'write KEY=value, or --reset KEY', reason: usageReason });
    }
    const settings = new Map<string, string | undefined>(reset.map((key) => [key, undefined]));
    for (const [key, given] of [...assignments.map(parseAssignment), ...secret]) settings.set(key, given);
    const { plugins } = await context.client();
    await naming(plugins, plugins.set(name, Object.fromEntries(settings)));
  },
});

function parseKey(given: string): string {
  if (given === '' || given.includes('=')) throw refuse(given, 'is not the name of a setting', 'write --reset KEY');
  return given;
}
