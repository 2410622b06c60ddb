import type { DeviceRequest } from '@gantry/sdk/engine';
import { parseCsv } from './csv.ts';
import { refuse } from './refuse.ts';

/** `all`, `2`, `count=2`, or `"device=0,1"` in quotes, as Docker has it; `driver=` and `capabilities=` beside them. */
export function parseGpus(text: string): DeviceRequest {
  const asked = { Driver: '', Count: 0, DeviceIDs: [] as readonly string[], Capabilities: ['gpu'] };
  for (const field of parseCsv(text)) {
    const [, key = 'count', value = ''] = /^(?:([a-z]+)=)?(.*)$/s.exec(field) ?? [];
    if (key === 'count') asked.Count = countOf(value, text);
    else if (key === 'device') asked.DeviceIDs = value.split(',');
    else if (key === 'driver') asked.Driver = value;
    else if (key === 'capabilities') asked.Capabilities = [...new Set([...value.split(','), 'gpu'])];
    else throw refuse(text, `has an unknown field: ${key}`, 'all, 2, count=2 or "device=0,1"');
  }
  if (asked.Count === 0 && asked.DeviceIDs.length === 0) throw refuse(text, 'asks for no GPU', 'all, 2, count=2 or "device=0,1"');
  const { Capabilities, DeviceIDs, ...rest } = asked;
  return { ...rest, Capabilities: [Capabilities], ...(DeviceIDs.length > 0 && { DeviceIDs }) };
}

function countOf(value: string, text: string): number {
  if (value === 'all') return -1;
  if (!/^\d{1,4}$/.test(value)) throw refuse(text, 'is not a number of GPUs', 'all, 2, count=2 or "device=0,1"');
  return Number(value);
}
