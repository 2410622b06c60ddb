import { invalidArgument } from '@gantry/sdk';
import type { Network } from '@gantry/sdk/network';

interface Program {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}
export interface Config {
  readonly list: { readonly name: string; readonly cniVersion: string; readonly plugins: readonly Program[] };
  /** Whether one of its plugins takes values of this capability. */
  readonly takes: (capability: string) => boolean;
}

/** Reads a network's one option: a list, or a single configuration, which becomes a list of one. What no list can be made of is refused by name. */
export function configOf({ name, options }: Network): Config {
  const unknown = Object.keys(options).find((key) => key !== 'config');
  if (unknown !== undefined) throw invalidArgument(`unknown option ${unknown} for a CNI network`);
  const text = options['config'];
  if (text === undefined) throw invalidArgument(`CNI network ${name} needs the option config: a configuration list as JSON`);
  const value = parsed(name, text);
  const { type, plugins, ...head } = value;
  const list = Array.isArray(plugins) ? value : { ...pick(head), plugins: [{ type, ...head }] };
  const { cniVersion, name: named = name } = list;
  if (typeof cniVersion !== 'string' || !/^(0\.3\.1|0\.4\.0|1\.[01]\.\d+)$/.test(cniVersion)) {
    throw invalidArgument(
      `config of CNI network ${name}: cniVersion is ${JSON.stringify(cniVersion)}; it can be 0.3.1, 0.4.0, 1.0.0 and 1.1.0`,
    );
  }
  const programs = list.plugins as readonly unknown[];
  if (programs.length === 0 || !programs.every(isProgram)) {
    throw invalidArgument(`config of CNI network ${name}: each of its plugins needs a type, the name of a program`);
  }
  if (typeof named !== 'string' || !/^[a-zA-Z0-9][\w.-]*$/.test(named))
    throw invalidArgument(`config of CNI network ${name}: ${JSON.stringify(named)} is no name of a network`);
  return {
    list: { ...list, name: named, cniVersion, plugins: programs },
    takes: (capability) => programs.some(({ capabilities }) => capabilities?.[capability] === true),
  };
}

/** Of a single configuration what belongs to the list. */
function pick({ cniVersion, ...given }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const names = ['name', 'disableCheck', 'disableGC'].filter((name) => given[name] !== undefined);
  return { cniVersion, ...Object.fromEntries(names.map((name) => [name, given[name]])) };
}

function isProgram(value: unknown): value is Program {
  const { type, capabilities = {} } = (value ?? {}) as { readonly type?: unknown; readonly capabilities?: unknown };
  return typeof type === 'string' && /^[a-zA-Z0-9][\w.-]*$/.test(type) && typeof capabilities === 'object' && capabilities !== null;
}

function parsed(name: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw invalidArgument(`config of CNI network ${name} is no JSON`, { cause });
  }
  throw invalidArgument(`config of CNI network ${name} is no JSON object`);
}
