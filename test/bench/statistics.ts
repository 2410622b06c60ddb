export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  return { median: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** Wall times in ms. The first calls warm caches and do not count. */
export async function sample(count: number, work: () => unknown, warmUps = Math.min(3, count)): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let call = -warmUps; call < count; call += 1) {
    const began = performance.now();
    await work();
    if (call >= 0) samples.push(performance.now() - began);
  }
  return samples;
}
