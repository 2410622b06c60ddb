import { list, text, value } from '../../option.ts';
import { parseAssignment, parseKeyValue, toRecord } from '../../parse/key-value.ts';
import { verb } from '../../verb.ts';

interface VolumeCreateFlags {
  readonly driver?: string;
  readonly opt: readonly (readonly [string, string])[];
  readonly label: readonly (readonly [string, string])[];
}

export const createVolume = verb<VolumeCreateFlags>({
  arguments: '[name]',
  options: [
    value('-d, --driver <driver>', 'Volume driver (default: local)', text),
    list('-o, --opt <key=value>', 'Option of the driver', parseAssignment),
    list('--label <key=value>', 'Label', parseKeyValue),
  ],
  async action(context, [name], { driver, opt, label }) {
    const { volumes } = await context.client();
    const { Name } = await volumes.create({
      ...(name === undefined ? {} : { Name: name }),
      ...(driver === undefined ? {} : { Driver: driver }),
      DriverOpts: toRecord(opt),
      Labels: toRecord(label),
    });
    context.print(Name);
  },
});
