import { text as readText } from 'node:stream/consumers';
import { invalidArgument, messageOf } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';
import { parseDriverName } from './driver-name.ts';

export const callDriver = verb<{ readonly dryRun?: boolean }>({
  arguments: '<kind/driver> <method> [json]',
  options: [flag('--dry-run', 'Only show what the driver would have done; methods that change something are refused')],
  notes: `The request is the method's own, as JSON, or "-" to read it from stdin; without one it is {}. The answer is printed as JSON.

  gantry plugin call volume/nfs list
  gantry plugin call volume/nfs attach '{"name":"v1","attachmentId":"try"}' --dry-run
  jq -n '{name: "v1"}' | gantry plugin call volume/nfs stat -`,
  async action(context, [driverName = '', method = '', json = '{}'], { dryRun = false }) {
    const { kind, driver } = parseDriverName(driverName);
    const request = parseRequest(json === '-' ? await readText(process.stdin) : json);
    const { plugins } = await context.client();
    context.print(JSON.stringify(await plugins.call({ kind, driver, method, request, dryRun }), undefined, 2));
  },
});

function parseRequest(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const hint = `quote it for the shell: '{"name":"v1"}'`;
    throw invalidArgument(`the request is not JSON: ${messageOf(error)}`, { hint, reason: usageReason });
  }
}
