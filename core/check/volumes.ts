import type { Examination } from './examination.ts';

export interface VolumesToCheck {
  /** Records, and whether the driver still has what they name; a driver that cannot be asked has a reason. */
  present(): AsyncIterable<{ readonly name: string; readonly driver: string; readonly problem?: string | undefined }>;
  readonly count: number;
}

/** Volume drivers have what the records name. Never mended: what was in a volume nobody else has. */
export async function checkVolumes({ volumes }: { readonly volumes: VolumesToCheck }, examination: Examination): Promise<void> {
  for await (const { name, driver, problem } of volumes.present()) {
    examination.saw('volumes', volumes.count);
    if (problem === undefined) continue;
    const advice = `restore it in ${driver}, or gantry volume rm --force ${name}`;
    await examination.found({ kind: 'volume', id: name, problem: `volume driver ${driver}: ${problem}`, usedBy: [], advice });
  }
}
