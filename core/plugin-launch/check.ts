import { stat } from 'node:fs/promises';
import { normalize } from 'node:path';
import { forbidden, fromErrno, invalidArgument, notFound } from '@gantry/sdk';
import { capabilityNames, isErrno } from '@gantry/sdk/linux';
import type { LaunchRequest } from './types.ts';

/** Refuses a request that makes no sense. */
export function checkFields(request: LaunchRequest): void {
  const fault = faultOf(request);
  if (fault !== undefined) throw invalidArgument(`plugin ${request.name}: ${fault}`);
}

/** Refuses a request whose folders and devices are not there. The program itself is looked for later, inside the sandbox. */
export async function checkPlaces({ name, codeDir, dataDir, runDir, readablePaths = [], privileges }: LaunchRequest): Promise<void> {
  const { hostPaths = [], devices = [] } = privileges;
  const places = { folder: [codeDir, dataDir, runDir], path: [...readablePaths, ...hostPaths], device: devices } as const;
  const checks = Object.entries(places).flatMap(([kind, paths]) =>
    paths.map((path) => checkThere(name, path, kind as keyof typeof places)),
  );
  await Promise.all(checks);
}

function faultOf(request: LaunchRequest): string | undefined {
  const { name, instance, argv, cwd, env, uid, gid, resources, privileges, cgroupParent = 'gantry-plugins' } = request;
  const { codeDir, dataDir, runDir, readablePaths = [] } = request;
  const [program = ''] = argv;
  if (!/^[\w.:/@-]{1,200}$/.test(name)) return `its name ${JSON.stringify(name)} is none`;
  if (!fileName.test(instance)) return `its instance ${JSON.stringify(instance)} cannot name a cgroup`;
  if (!cgroupParent.split('/').every((part) => fileName.test(part)))
    return `the cgroup parent ${JSON.stringify(cgroupParent)} is no relative path`;
  if (!isAbsolute(program)) return `its program ${JSON.stringify(program)} is no absolute path`;
  if (argv.some(hasNul)) return 'an argument has a NUL byte inside';
  const variable = Object.entries(env).find(([key, value]) => key === '' || key.includes('=') || hasNul(key) || hasNul(value));
  if (variable !== undefined) return `its environment variable ${JSON.stringify(variable[0])} cannot be set`;
  const folders = { codeDir, dataDir, runDir, cwd };
  for (const [field, path] of Object.entries(folders))
    if (!isPlace(path)) return `${field} ${JSON.stringify(path)} is no absolute, plain path below /`;
  const path = [...readablePaths, ...(privileges.hostPaths ?? [])].find((each) => !isPlace(each));
  if (path !== undefined) return `the path ${JSON.stringify(path)} is no absolute, plain path below /`;
  if (codeDir === dataDir || codeDir === runDir) return `its code folder ${codeDir} would be its to write`;
  return faultOfUser({ uid, gid, privileges }) ?? faultOfResources(resources);
}

function faultOfUser({ uid, gid, privileges }: Pick<LaunchRequest, 'uid' | 'gid' | 'privileges'>): string | undefined {
  for (const [kind, id] of Object.entries({ user: uid, group: gid })) if (!isWhole(id, 0, 0xfffffffe)) return `${kind} ${id} is none`;
  const isRoot = privileges.user === 'root' || privileges.unconfined === true;
  if (isRoot !== (uid === 0)) return isRoot ? `it is to run as root, not as user ${uid}` : 'it may not run as root without that privilege';
  const unknown = privileges.capabilities?.find((name) => name !== 'ALL' && !capabilityNames.includes(name));
  return unknown === undefined ? undefined : `there is no capability ${unknown}`;
}

function faultOfResources({ memoryBytes, pids, cpus }: LaunchRequest['resources']): string | undefined {
  if (!isWhole(memoryBytes, leastMemoryBytes, Number.MAX_SAFE_INTEGER))
    return `${memoryBytes} bytes of memory are less than ${leastMemoryBytes}`;
  if (!isWhole(pids, 1, 4_000_000)) return `${pids} processes are not 1 to 4000000`;
  if (cpus !== undefined && !(cpus >= 0.01 && cpus <= 10_000)) return `${cpus} CPUs are not 0.01 to 10000`;
  return undefined;
}

async function checkThere(name: string, path: string, kind: 'folder' | 'path' | 'device'): Promise<void> {
  try {
    const found = await stat(path);
    if (kind === 'folder' && !found.isDirectory()) throw invalidArgument(`plugin ${name}: ${path} is no folder`);
    if (kind === 'device' && found.isFile()) throw forbidden(`plugin ${name}: ${path} is no device`);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw fromErrno(error, `plugin ${name}`);
    const hint =
      kind === 'device'
        ? 'load the kernel module that makes it, or take the privilege from the plugin'
        : 'make it, or install the plugin again';
    throw notFound(`plugin ${name}: the ${kind} ${path} is not there`, { hint, cause: error });
  }
}

/** Below this even a shell is killed. */
const leastMemoryBytes = 4 << 20;
const fileName = /^[A-Za-z0-9_][\w.-]{0,127}$/;
const hasNul = (text: string): boolean => text.includes('\0');
const isAbsolute = (path: string): boolean => path.startsWith('/') && !path.endsWith('/') && !hasNul(path);
/** Plain, so that a place compares with another by its text. */
const isPlace = (path: string): boolean => isAbsolute(path) && normalize(path) === path;
const isWhole = (value: number, least: number, most: number): boolean => Number.isSafeInteger(value) && value >= least && value <= most;
