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
  notes: `The driver local takes
  -o uid=N -o gid=N -o mode=0750     whose its folder is; what an image has there changes none of it
  -o size=10g                        how much it can hold: a quota of the file system, else a disk in a file
  -o type=T -o device=D -o o=A,B     what mount(8) takes: tmpfs, bind, nfs, cifs, a disk, …; with type=tmpfs also size

  gantry volume create -o uid=1000 -o mode=0700 -o size=1g mail
  gantry volume create -o type=nfs -o device=:/srv/data -o o=addr=files.example,rw data
  gantry volume create -o type=tmpfs -o device=tmpfs -o size=64m scratch

Other drivers: gantry plugin ls, and gantry plugin inspect for their options.`,
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
