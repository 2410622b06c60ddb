import { readFileSync } from 'node:fs';

/** One file of a cgroup; undefined when the kernel does not have it. */
export function readCgroupFile(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined) return undefined;
  try {
    return readFileSync(`${folder}/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A number; "max" and what v1 writes for no limit (near 2^63) are undefined. */
export function readNumber(folder: string | undefined, name: string): number | undefined {
  const text = readCgroupFile(folder, name);
  const value = text === undefined || text === 'max' ? Number.NaN : Number(text);
  return Number.isNaN(value) || value >= 2 ** 62 ? undefined : value;
}

/** "key value" lines. */
export function readTable(folder: string | undefined, name: string): Readonly<Record<string, number>> {
  const table: Record<string, number> = {};
  for (const line of readCgroupFile(folder, name)?.split('\n') ?? []) {
    const [key, value] = line.split(/[ =]/);
    if (key && value !== undefined) table[key] = Number(value);
  }
  return table;
}
