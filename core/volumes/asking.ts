import { type Abortable, codeOf, type Logger, messageOf } from '@gantry/sdk';
import type { Volume, VolumeDriver } from '@gantry/sdk/volume';
import { driverContext, type Drivers } from '../drivers/index.ts';
import { withDeadline } from '../support/index.ts';

interface Parts {
  readonly drivers: Drivers;
  readonly log: Logger;
}

/** Slow or dead drivers cost a question to all of them no more than this. */
const fanOutMs = 2_000;

/** Asks every driver at once; those that do not answer in time, or fail, become warnings. */
export async function askAll<T>(
  { drivers }: Parts,
  ask: (driver: VolumeDriver, name: string, options: Abortable) => Promise<T>,
): Promise<{ readonly answers: readonly (readonly [driver: string, answer: T])[]; readonly warnings: readonly string[] }> {
  const answers: [string, T][] = [];
  const warnings: string[] = [];
  await Promise.all(
    drivers.names('volume').map(async (name) => {
      try {
        const answer = await withDeadline(fanOutMs, async ({ signal }) => ask(await drivers.get('volume', name), name, { signal }));
        answers.push([name, answer]);
      } catch (error) {
        warnings.push(`volume driver ${name}: ${messageOf(error)}`);
      }
    }),
  );
  return { answers: answers.toSorted(([a], [b]) => (a < b ? -1 : 1)), warnings: warnings.toSorted() };
}

/** The first driver, by name, that has a volume of this name, and what it says of it. */
export async function findVolume(name: string, parts: Parts): Promise<{ readonly driver: string; readonly volume: Volume } | undefined> {
  const { answers } = await askAll(parts, async (driver, asked, options) => {
    try {
      const { volume } = await driver.stat({ name }, driverContext(parts.log, options.signal));
      if (volume.name === name) return volume;
      parts.drivers.grants('volume', asked).onViolation?.(`asked for volume ${name}, it answered ${volume.name}`);
      return undefined;
    } catch (error) {
      if (codeOf(error) === 'not_found' || codeOf(error) === 'invalid_argument') return undefined;
      throw error;
    }
  });
  for (const [driver, volume] of answers) if (volume !== undefined) return { driver, volume };
  return undefined;
}
