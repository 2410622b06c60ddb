import { readFileSync } from 'node:fs';
import { capabilityNames } from '@gantry/sdk/linux';

/** Numbers of the granted ones ("ALL": everything that the engine has), and the names of those that the engine itself lacks. */
export function grantedCapabilities(granted: readonly string[] = []): {
  readonly numbers: readonly number[];
  readonly lacking: readonly string[];
} {
  const held = heldCapabilities();
  if (granted.includes('ALL')) return { numbers: [...held], lacking: [] };
  const numbers = [...new Set(granted.map((name) => capabilityNames.indexOf(name)))];
  return {
    numbers: numbers.filter((number) => held.has(number)),
    lacking: numbers.filter((number) => !held.has(number)).map((number) => capabilityNames[number] ?? String(number)),
  };
}

/** The bounding set of proc_pid_status(5), a mask. In a VM or container of its own the engine can have less than everything. */
function heldCapabilities(): ReadonlySet<number> {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`);
  return new Set(capabilityNames.keys().filter((number) => ((mask >> BigInt(number)) & 1n) === 1n));
}
