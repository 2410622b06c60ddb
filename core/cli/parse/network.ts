import type { EndpointConfig } from '@gantry/sdk/engine';
import { parseCsv } from './csv.ts';
import { parseAssignment, toRecord } from './key-value.ts';
import { refuse, show } from './refuse.ts';

export interface NetworkChoice {
  readonly name: string;
  readonly endpoint: EndpointConfig;
}

/** A network's name, or the long form `name=…,alias=…,ip=…,ip6=…,mac-address=…,link-local-ip=…,driver-opt=key=value,gw-priority=…`. */
export function parseNetwork(text: string): NetworkChoice {
  if (!/^[a-z0-9-]+=/.test(text)) {
    if (text === '') throw refuse(text, 'names no network');
    return { name: text, endpoint: {} };
  }
  const fields = Map.groupBy(parseCsv(text).map(parseAssignment), ([key]) => key);
  const values = (key: string): readonly string[] | undefined => fields.get(key)?.map(([, value]) => value);
  const one = (key: string): string | undefined => values(key)?.at(-1);
  for (const key of fields.keys())
    if (!known.includes(key)) throw refuse(text, `has an unknown field: ${show(key)}`, `known: ${known.join(', ')}`);
  const name = one('name');
  if (name === undefined || name === '') throw refuse(text, 'names no network', 'name=… is required');
  const priority = one('gw-priority');
  if (priority !== undefined && !/^-?\d{1,9}$/.test(priority)) throw refuse(text, 'needs a whole number for gw-priority');
  return {
    name,
    endpoint: present({
      IPAMConfig: presentOrNothing({ IPv4Address: one('ip'), IPv6Address: one('ip6'), LinkLocalIPs: values('link-local-ip') }),
      Aliases: values('alias'),
      MacAddress: one('mac-address'),
      DriverOpts: values('driver-opt') && toRecord((values('driver-opt') ?? []).map(parseAssignment)),
      GwPriority: priority === undefined ? undefined : Number(priority),
    }),
  };
}

const known = ['name', 'alias', 'ip', 'ip6', 'mac-address', 'link-local-ip', 'driver-opt', 'gw-priority'];

function presentOrNothing(fields: Readonly<Record<string, unknown>>): object | undefined {
  const given = present(fields);
  return Object.keys(given).length === 0 ? undefined : given;
}

function present(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
