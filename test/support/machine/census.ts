import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface CensusOptions {
  /** Data and exec roots: every path below them counts, and loop devices whose backing file lies there. */
  readonly roots?: readonly string[];
  /** One line per row of what the engine remembers, e.g. `container 4f…`. */
  readonly rows?: () => Iterable<string>;
}

/** Sorted lines, `kind: what`. */
export type Census = readonly string[];

/**
 * Everything that an engine can leave in the kernel and on disk, as seen from this process. Meant for the inside of `inNamespaces`,
 * where nothing belongs to anybody else; loop devices are the machine's, so only those of `roots` are taken.
 */
export function census({ roots = [], rows = () => [] }: CensusOptions = {}): Census {
  const kinds: Readonly<Record<string, () => Iterable<string>>> = {
    mount: mounts,
    link: links,
    address: addresses,
    route: routes,
    firewall,
    cgroup: cgroups,
    process: processes,
    'unix socket': unixSockets,
    'loop device': () => loopDevices(roots),
    file: () => roots.flatMap(paths),
    row: rows,
    descriptor: descriptors,
    handle: () => process.getActiveResourcesInfo(),
  };
  return Object.entries(kinds)
    .flatMap(([kind, list]) => [...list()].map((line) => `${kind}: ${line}`))
    .toSorted();
}

export interface CensusDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Lines count as often as they occur. */
export function difference(before: Census, after: Census): CensusDifference {
  return { added: without(after, before), removed: without(before, after) };
}

/** One line per change, `+` for what came and `-` for what went. */
export function describe({ added, removed }: CensusDifference): string {
  return [...added.map((line) => `+ ${line}`), ...removed.map((line) => `- ${line}`)].join('\n');
}

function without(all: Census, taken: Census): string[] {
  const left = Map.groupBy(taken, (line) => line);
  return all.filter((line) => left.get(line)?.pop() === undefined);
}

function mounts(): string[] {
  return lines(readFileSync('/proc/self/mountinfo', 'utf8')).map((line) => {
    const [mounted = '', source = ''] = line.split(' - ');
    return `${mounted.split(' ')[4]} (${source.split(' ')[0]})`;
  });
}

function links(): string[] {
  return ip('link').map((line) => line.split(': ')[1]?.split('@')[0] ?? line);
}

function addresses(): string[] {
  return ip('address').map((line) => line.split(/\s+/).slice(1, 4).join(' '));
}

function routes(): string[] {
  // Whether the kernel has noticed yet that a bridge lost its last port is a matter of time.
  return ip('route', 'show', 'table', 'all').map((line) => line.replace(/ linkdown\b/, ''));
}

function ip(...given: readonly string[]): string[] {
  return output('ip', ['-oneline', ...given]).map((line) => line.trim());
}

function firewall(): string[] {
  return output('nft', ['--stateless', 'list', 'ruleset']).map((line) => line.trim());
}

function cgroups(): string[] {
  return globSync('/sys/fs/cgroup/**/cgroup.procs').map((file) => file.slice('/sys/fs/cgroup'.length, -'/cgroup.procs'.length));
}

function processes(): string[] {
  return globSync('/proc/[0-9]*').flatMap((folder) => {
    const words = attempt(() => readFileSync(join(folder, 'cmdline'), 'utf8')) ?? '';
    const state = /^State:\s(\S)/m.exec(attempt(() => readFileSync(join(folder, 'status'), 'utf8')) ?? '')?.[1];
    return state === undefined ? [] : [state === 'Z' ? 'zombie' : words.replaceAll('\0', ' ').slice(0, 200).trim()];
  });
}

function unixSockets(): string[] {
  return lines(readFileSync('/proc/net/unix', 'utf8'))
    .slice(1)
    .flatMap((line) => line.split(/\s+/)[7] ?? []);
}

function loopDevices(roots: readonly string[]): string[] {
  return globSync('/sys/block/loop*/loop/backing_file').flatMap((file) => {
    const backing = attempt(() => readFileSync(file, 'utf8').trim()) ?? '';
    return roots.some((root) => backing.startsWith(`${root}/`)) ? [backing] : [];
  });
}

function paths(root: string): string[] {
  return (attempt(() => readdirSync(root, { recursive: true, encoding: 'utf8' })) ?? []).map((path) => join(root, path));
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => attempt(() => readlinkSync(`/proc/self/fd/${fd}`))?.replace(/:\[\d+\]$/, '') ?? []);
}

function output(command: string, given: readonly string[]): string[] {
  return lines(attempt(() => execFileSync(command, given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) ?? '');
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** What is looked at may go away meanwhile, and not every machine has every tool. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
