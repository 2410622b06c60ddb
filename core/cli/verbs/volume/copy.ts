import { list } from '../../option.ts';
import { parseAssignment, parseKeyValue, toRecord } from '../../parse/key-value.ts';
import { verb } from '../../verb.ts';

interface CopyFlags {
  readonly label: readonly (readonly [string, string])[];
}
interface CloneFlags extends CopyFlags {
  readonly opt: readonly (readonly [string, string])[];
}

const label = () => list('--label <key=value>', 'Label', parseKeyValue);

export const cloneVolume = verb<CloneFlags>({
  arguments: '<volume> <name>',
  options: [list('-o, --opt <key=value>', 'Option of the driver, in addition to those of the volume', parseAssignment), label()],
  notes: `With the driver local, -o size=10g makes a copy with a limit of its own. Where its file system shares blocks the copy takes no room; only on
btrfs may containers write to the volume meanwhile.
`,
  async action(context, [volume = '', name = ''], flags) {
    const { volumes } = await context.client();
    const request = { Name: name, DriverOpts: toRecord(flags.opt), Labels: toRecord(flags.label) };
    context.print((await volumes.clone(volume, request)).Name);
  },
});

export const snapshotVolume = verb<CopyFlags>({
  arguments: '<volume> <name>',
  options: [label()],
  notes: 'It is a volume that can be mounted read-only, or cloned.\n',
  async action(context, [volume = '', name = ''], flags) {
    const { volumes } = await context.client();
    context.print((await volumes.snapshot(volume, { Name: name, Labels: toRecord(flags.label) })).Name);
  },
});
