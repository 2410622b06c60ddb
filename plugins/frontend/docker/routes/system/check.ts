import type { Call } from '../../http/call.ts';
import { withProgress } from '../../streams/progress.ts';

/** POST /gantry/v1/system/check?repair=1: progress messages as Docker's, the last of which has the report in `aux`. */
export async function check(call: Call): Promise<void> {
  const repair = call.query.flag('repair');
  await withProgress(call, async (report) => {
    report({ aux: await call.engine.system.check({ repair, onProgress: report, signal: call.signal }) });
  });
}
