import { test } from 'node:test';
import { type ConformanceOptions, planConformance } from './run.ts';

/** Makes a test of node:test of every case for the plugin in a folder. */
export function conformance(dir: string, options: ConformanceOptions = {}): void {
  for (const { placement, driver, id, run } of planConformance(dir, options)) {
    const where = placement === 'in-process' ? '' : ` in placement ${placement}`;
    test(`${driver} passes ${id}${where}`, async (context) => {
      const reason = await run();
      if (reason !== undefined) context.skip(reason);
    });
  }
}
