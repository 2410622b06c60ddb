import type { Placement } from '@gantry/sdk/engine';
import { GantryError } from '@gantry/sdk/errors';
import { authFor } from '../../credentials/index.ts';
import { progressPrinter } from '../../format/progress.ts';
import { flag, oneOf, text, value } from '../../option.ts';
import { parseAssignment, toRecord } from '../../parse/key-value.ts';
import { verb } from '../../verb.ts';
import { areGranted, grantOption } from './privileges.ts';
import { secretOption } from './secret-option.ts';
import { readSource, sourcesHelp } from './source.ts';

interface Flags {
  readonly alias?: string;
  readonly disable?: boolean;
  readonly grantAllPermissions?: boolean;
  readonly placement?: Placement;
  readonly quiet?: boolean;
  readonly secret: readonly (readonly [key: string, value: string])[];
}

export const installPlugin = verb<Flags>({
  arguments: '<source> [KEY=value...]',
  options: [
    value('--alias <name>', 'Call it so, and not as its manifest does', text),
    flag('--disable', 'Do not start it'),
    grantOption,
    secretOption,
    value(
      '--placement <place>',
      'Where it runs, of what its manifest allows: in-process, worker, process',
      oneOf('in-process', 'worker', 'process'),
    ),
    flag('-q, --quiet', 'No progress'),
  ],
  notes: `${sourcesHelp}

It shows what the plugin wants to be allowed and asks; then installs exactly that, sets the settings KEY=value and starts it. Containers can use
its drivers at once: no engine is restarted. A registry that wants to know who asks: gantry login.

  gantry plugin install reg.example/acme/nfs:1.4 SERVER=files.example --secret TOKEN=/root/nfs-token
  gantry plugin install --alias nfs-test --disable ./nfs
  gantry plugin install --grant-all-permissions npm:@acme/gantry-nfs`,
  async action(
    context,
    [given = '', ...assignments],
    { secret, alias, disable = false, grantAllPermissions = false, placement, quiet = false },
  ) {
    const settings = toRecord([...assignments.map(parseAssignment), ...secret]);
    const source = readSource(given);
    const { plugins } = await context.client();
    const login = authFor(context, source);
    const { manifest, privileges } = await plugins.offer(source, login);
    const name = alias ?? manifest.name;
    if (!(await areGranted(context, name, { asked: privileges, grantAll: grantAllPermissions }))) {
      context.note('Nothing was installed.');
      return 1;
    }
    const request = { source, grant: privileges, enable: false, settings, ...(alias === undefined ? {} : { alias }) };
    const onProgress = progressPrinter(quiet ? () => undefined : context.note);
    const plugin = await plugins.install({ ...request, ...(placement === undefined ? {} : { placement }) }, { ...login, onProgress });
    // Started as a step of its own: when that fails the plugin is there all the same, and can be looked at.
    if (!disable) await plugins.enable(plugin.name).catch((error: unknown) => notStarted(error, plugin.name));
    for (const driver of plugin.shadowed ?? [])
      context.note(`Another plugin serves ${driver}: to have this one do it, gantry plugin bind ${driver} ${plugin.name}`);
    context.print(plugin.name);
    return 0;
  },
});

export function notStarted(error: unknown, name: string): never {
  if (!GantryError.is(error)) throw error;
  const hint = `it is installed and will be tried again; look with: gantry plugin inspect ${name}, gantry plugin logs ${name}`;
  throw new GantryError(error.code, error.message, { hint, cause: error });
}
