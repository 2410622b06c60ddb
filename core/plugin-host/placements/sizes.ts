import type { Manifest } from '@gantry/sdk';

const units: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes of a manifest's size, "128MiB". */
export function byteSize(text: string): number {
  const [, amount = '0', unit = ''] = /^(\d+)([kmg]?)/i.exec(text) ?? [];
  return Number(amount) * (units[unit.toLowerCase()] ?? 1);
}

/** What its process, and each helper of its mounts, may use. */
export function resourcesOf({ resources: { memory = '512MiB', pids = 256, cpu } = {} }: Manifest) {
  return { memoryBytes: byteSize(memory), pids, ...(cpu === undefined ? {} : { cpus: Number(cpu) }) };
}
