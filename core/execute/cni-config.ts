import { invalidArgument } from '@gantry/sdk';
import type { Cni } from '@gantry/sdk/network';

/** One program of a list with its settings; `type` is its name. */
export interface CniProgram {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}
/** A network configuration list: CNI specification, section 1. */
export interface CniList {
  readonly cniVersion: string;
  readonly name: string;
  readonly disableCheck?: boolean;
  readonly disableGC?: boolean;
  readonly plugins: readonly CniProgram[];
}

/** Reads a list; `invalid_argument` names what is wrong with it. */
export function parseCniList(text: string): CniList {
  const list = parsed(text);
  const { cniVersion = '', name = '', plugins } = list;
  if (!/^(0\.3\.1|0\.4\.0|1\.[01]\.\d+)$/.test(String(cniVersion)))
    throw invalidArgument(`CNI configuration: cniVersion ${JSON.stringify(cniVersion)} is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(String(name)))
    throw invalidArgument(`CNI configuration: name ${JSON.stringify(name)} is no name of letters, digits, dots, hyphens and underscores`);
  if (!Array.isArray(plugins) || plugins.length === 0) throw invalidArgument('CNI configuration: plugins is no list of plugins');
  for (const program of plugins as readonly { readonly type?: unknown }[]) {
    // A name, not a path: it is looked for in the folders that were granted.
    if (typeof program?.type !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(program.type))
      throw invalidArgument(`CNI configuration: plugin type ${JSON.stringify(program?.type)} is no name of a program`);
  }
  return list as unknown as CniList;
}

/** Whether some program of the list publishes ports. */
export function takesPortMappings({ config }: Cni): boolean {
  return parseCniList(config).plugins.some(({ capabilities }) => capabilities?.['portMappings'] === true);
}

/** What programs know a network by, whatever it is called here. */
export function cniListName({ config }: Cni): string {
  return parseCniList(config).name;
}

/** CHECK came with 0.4.0. */
export function canCheck({ cniVersion, disableCheck = false }: CniList): boolean {
  return !disableCheck && cniVersion !== '0.3.1';
}

/** GC came with 1.1.0; a list forbids it whose network other runtimes use, too. */
export function canCollect({ cniVersion, disableGC = false }: CniList): boolean {
  return !disableGC && cniVersion.startsWith('1.1.');
}

/** STATUS came with 1.1.0. */
export function canTellStatus({ cniVersion }: CniList): boolean {
  return cniVersion.startsWith('1.1.');
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw invalidArgument('CNI configuration is no JSON', { cause });
  }
  throw invalidArgument('CNI configuration is no JSON object');
}
