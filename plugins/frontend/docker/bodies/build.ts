import { GantryError, invalidArgument } from '@gantry/sdk';
import type { BuildContext, BuildOptions, HostConfig } from '@gantry/sdk/engine';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import { integer, list, map, object, readShape, type Shape, text } from '../http/shape.ts';
import { registryAuth } from './objects.ts';

const ulimits = list(object('Ulimit', { Name: text, Soft: integer, Hard: integer }));
/** Null stands for a variable without a value, which other maps do not have. */
const textOrNull: Shape<string | null> = { goType: '*string', read: (value, path) => (value === null ? null : text.read(value, path)) };

/** What POST /build is asked to do, from its query. */
export function buildOptions(call: Call): BuildOptions {
  const { query } = call;
  if (query.flag('squash')) throw invalidArgument('squash is not supported: it is an experiment that Docker ended');
  return {
    dockerfile: query.text('dockerfile'),
    tags: [...new Set(query.all('t').filter((tag) => tag !== ''))],
    buildArgs: json(call, 'buildargs', map(textOrNull), {}),
    labels: json(call, 'labels', map(text), {}),
    noCache: query.flag('nocache'),
    pull: query.flag('pull'),
    remove: query.flag('rm', true),
    forceRemove: query.flag('forcerm'),
    target: query.text('target'),
    platform: query.text('platform'),
    cacheFrom: json(call, 'cachefrom', list(text), []),
    hostConfig: hostConfigOf(call),
    // Ours: Docker's first builder knows no steps that ask for it.
    allow: query.all('allow'),
    registryAuth: registryConfig(call.header('x-registry-config')),
  };
}

/** What is sent, unless an address is given. */
export function buildContext(call: Call, body: AsyncIterable<Buffer>): BuildContext {
  const remote = call.query.text('remote');
  return remote === '' || remote === 'client-session' ? { kind: 'tar', tar: body } : { kind: 'remote', url: remote };
}

function hostConfigOf(call: Call): HostConfig {
  const { query } = call;
  const network = query.text('networkmode');
  return withoutAbsent({
    Memory: query.integer('memory'),
    MemorySwap: query.integer('memswap'),
    CpuShares: query.integer('cpushares'),
    CpuPeriod: query.integer('cpuperiod'),
    CpuQuota: query.integer('cpuquota'),
    CpusetCpus: query.word('cpusetcpus'),
    CpusetMems: query.word('cpusetmems'),
    CgroupParent: query.word('cgroupparent'),
    ShmSize: query.integer('shmsize'),
    Ulimits: json(call, 'ulimits', ulimits, []) as NonNullable<HostConfig['Ulimits']>,
    NetworkMode: network === '' || network === 'default' ? undefined : network,
    ExtraHosts: query
      .all('extrahosts')
      .flatMap((hosts) => hosts.split(','))
      .filter((host) => host !== ''),
    SecurityOpt: query.all('securityopt').filter((option) => option !== ''),
  });
}

function json<T>(call: Call, key: string, shape: Shape<T>, absent: T): T {
  const given = call.query.text(key);
  if (given === '' || given === 'null') return absent;
  try {
    return readShape(shape, JSON.parse(given));
  } catch (error) {
    if (GantryError.is(error)) throw error;
    throw invalidArgument(`error reading ${key}: ${given.slice(0, 80)} is no JSON`, { cause: error });
  }
}

/** Base64url JSON by registry host; like Docker's daemon, what cannot be read counts as none. */
function registryConfig(header: string | undefined): Readonly<Record<string, RegistryAuth>> {
  if (header === undefined || header === '') return {};
  try {
    const auths = readShape(map(registryAuth), JSON.parse(Buffer.from(header, 'base64url').toString()));
    return Object.fromEntries(Object.entries(auths).map(([host, auth]) => [host, authOf(auth)]));
  } catch {
    return {};
  }
}

function authOf({
  username,
  password,
  auth,
  serveraddress,
  identitytoken,
  registrytoken,
}: ReturnType<typeof registryAuth.read>): RegistryAuth {
  const [user, ...rest] = auth === undefined ? [] : Buffer.from(auth, 'base64').toString().split(':');
  return withoutAbsent({
    username: username ?? user,
    password: password ?? (rest.length === 0 ? undefined : rest.join(':')),
    serverAddress: serveraddress,
    identityToken: identitytoken,
    registryToken: registrytoken,
  });
}
