import type { RuntimeCommand } from '@gantry/sdk/exec';
import { isDescribing } from '@gantry/sdk/exec';
import { conflict, notImplemented } from '@gantry/sdk';
import { describedProcess } from '../../execute/index.ts';
import type { Spec } from '../oci-spec/index.ts';
import type { Attaching } from './mounts.ts';
import { programSpec } from './program.ts';

/** Asks the driver that the user chose as runtime, and answers what is to be run instead: by another runtime, or another program. */
export async function describedRun(
  attaching: Pick<Attaching, 'room' | 'entry' | 'sources'>,
  name: string,
  spec: Spec,
): Promise<{ readonly spec: Spec; readonly command?: RuntimeCommand }> {
  const { room, entry } = attaching;
  const { drivers } = room.parts;
  const driver = await drivers.get('exec', name);
  if (!isDescribing(driver)) throw conflict(`exec driver ${name} describes no processes any more`);
  if (!(await room.driver(entry)).features.includes('monitor'))
    throw notImplemented(`exec driver ${room.driverName(entry)} runs nothing that others describe`);
  const grants = drivers.grants('exec', name);
  const { id, name: containerName, document } = entry;
  const request = { id, containerName, labels: document.config.Labels ?? {}, spec };
  const described = await describedProcess(driver, request, { grants, ctx: room.context() });
  if (described.kind === 'program') return { spec: programSpec(attaching, spec, described, grants) };
  const { program, arguments: given } = described;
  return { spec, command: { program, arguments: given } };
}
