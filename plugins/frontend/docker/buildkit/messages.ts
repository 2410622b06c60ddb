import { invalidArgument, messageOf } from '@gantry/sdk';
import protobuf from 'protobufjs';

/**
 * BuildKit's messages as far as they are read or written here, by the numbers of its protos (api/services/control, frontend/gateway/pb,
 * session/*, util/apicaps/pb) and of fsutil's; fields that nobody here needs are skipped by whoever reads.
 */
type Fields = Readonly<Record<string, readonly [number: number, type: string, rule?: 'repeated' | 'string' | 'bytes']>>;

const definitions = {
  Empty: {},
  Timestamp: { seconds: [1, 'int64'], nanos: [2, 'int32'] },

  SolveRequest: {
    ref: [1, 'string'],
    definition: [2, 'bytes'],
    exporterDeprecated: [3, 'string'],
    exporterAttrsDeprecated: [4, 'string', 'string'],
    session: [5, 'string'],
    frontend: [6, 'string'],
    frontendAttrs: [7, 'string', 'string'],
    cache: [8, 'CacheOptions'],
    entitlements: [9, 'string', 'repeated'],
    exporters: [13, 'Exporter', 'repeated'],
  },
  Exporter: { type: [1, 'string'], attrs: [2, 'string', 'string'] },
  CacheOptions: { exports: [4, 'CacheEntry', 'repeated'], imports: [5, 'CacheEntry', 'repeated'] },
  CacheEntry: { type: [1, 'string'], attrs: [2, 'string', 'string'] },
  SolveResponse: { exporterResponse: [1, 'string', 'string'] },
  StatusRequest: { ref: [1, 'string'] },
  StatusResponse: {
    vertexes: [1, 'Vertex', 'repeated'],
    statuses: [2, 'VertexStatus', 'repeated'],
    logs: [3, 'VertexLog', 'repeated'],
    warnings: [4, 'VertexWarning', 'repeated'],
  },
  Vertex: {
    digest: [1, 'string'],
    inputs: [2, 'string', 'repeated'],
    name: [3, 'string'],
    cached: [4, 'bool'],
    started: [5, 'Timestamp'],
    completed: [6, 'Timestamp'],
    error: [7, 'string'],
  },
  VertexStatus: {
    ID: [1, 'string'],
    vertex: [2, 'string'],
    name: [3, 'string'],
    current: [4, 'int64'],
    total: [5, 'int64'],
    timestamp: [6, 'Timestamp'],
    started: [7, 'Timestamp'],
    completed: [8, 'Timestamp'],
  },
  VertexLog: { vertex: [1, 'string'], timestamp: [2, 'Timestamp'], stream: [3, 'int64'], msg: [4, 'bytes'] },
  VertexWarning: { vertex: [1, 'string'], level: [2, 'int64'], short: [3, 'bytes'] },
  ListWorkersResponse: { record: [1, 'Worker', 'repeated'] },
  Worker: { ID: [1, 'string'], labels: [2, 'string', 'string'], platforms: [3, 'Platform', 'repeated'], version: [5, 'Version'] },
  Platform: { architecture: [1, 'string'], os: [2, 'string'], variant: [3, 'string'] },
  Version: { package: [1, 'string'], version: [2, 'string'], revision: [3, 'string'] },
  InfoResponse: { version: [1, 'Version'] },
  DiskUsageRequest: { filter: [1, 'string', 'repeated'], ageLimit: [2, 'int64'] },
  DiskUsageResponse: { record: [1, 'UsageRecord', 'repeated'] },
  PruneRequest: {
    filter: [1, 'string', 'repeated'],
    all: [2, 'bool'],
    keepDuration: [3, 'int64'],
    reservedSpace: [4, 'int64'],
    maxUsedSpace: [5, 'int64'],
    minFreeSpace: [6, 'int64'],
  },
  UsageRecord: {
    ID: [1, 'string'],
    inUse: [3, 'bool'],
    size: [4, 'int64'],
    createdAt: [6, 'Timestamp'],
    lastUsedAt: [7, 'Timestamp'],
    usageCount: [8, 'int64'],
    description: [9, 'string'],
    recordType: [10, 'string'],
    shared: [11, 'bool'],
    parents: [12, 'string', 'repeated'],
  },

  BuildHistoryRequest: {
    activeOnly: [1, 'bool'],
    ref: [2, 'string'],
    earlyExit: [3, 'bool'],
    filter: [4, 'string', 'repeated'],
    limit: [5, 'int32'],
  },
  BuildHistoryEvent: { type: [1, 'int32'], record: [2, 'BuildHistoryRecord'] },
  BuildHistoryRecord: {
    ref: [1, 'string'],
    frontend: [2, 'string'],
    frontendAttrs: [3, 'string', 'string'],
    exporters: [4, 'Exporter', 'repeated'],
    error: [5, 'Status'],
    createdAt: [6, 'Timestamp'],
    completedAt: [7, 'Timestamp'],
    exporterResponse: [9, 'string', 'string'],
    pinned: [14, 'bool'],
    numCachedSteps: [15, 'int32'],
    numTotalSteps: [16, 'int32'],
    numCompletedSteps: [17, 'int32'],
    numWarnings: [19, 'int32'],
  },
  UpdateBuildHistoryRequest: { ref: [1, 'string'], pinned: [2, 'bool'], delete: [3, 'bool'], finalize: [4, 'bool'] },

  GatewaySolveRequest: {
    definition: [1, 'bytes'],
    frontend: [2, 'string'],
    frontendOpt: [3, 'string', 'string'],
    cacheImports: [12, 'CacheEntry', 'repeated'],
  },
  GatewaySolveResponse: { ref: [1, 'string'], result: [3, 'Result'] },
  Result: { ref: [3, 'Ref'], refs: [4, 'RefMap'], metadata: [10, 'string', 'bytes'] },
  Ref: { id: [1, 'string'] },
  RefMap: {},
  ReturnRequest: { result: [1, 'Result'], error: [2, 'Status'] },
  Status: { code: [1, 'int32'], message: [2, 'string'], details: [3, 'StatusDetail', 'repeated'] },
  StatusDetail: { typeUrl: [1, 'string'], value: [2, 'bytes'] },
  PongResponse: { frontendCaps: [1, 'Capability', 'repeated'], llbCaps: [2, 'Capability', 'repeated'], workers: [3, 'Worker', 'repeated'] },
  Capability: { ID: [1, 'string'], enabled: [2, 'bool'] },

  Packet: { type: [1, 'int32'], stat: [2, 'Stat'], ID: [3, 'uint32'], data: [4, 'bytes'] },
  Stat: {
    path: [1, 'string'],
    mode: [2, 'uint32'],
    uid: [3, 'uint32'],
    gid: [4, 'uint32'],
    size: [5, 'int64'],
    modTime: [6, 'int64'],
    linkname: [7, 'string'],
    devmajor: [8, 'int64'],
    devminor: [9, 'int64'],
  },
  CredentialsRequest: { host: [1, 'string'] },
  CredentialsResponse: { username: [1, 'string'], secret: [2, 'string'] },
  SecretRequest: { ID: [1, 'string'] },
  SecretResponse: { data: [1, 'bytes'] },
  CheckAgentRequest: { ID: [1, 'string'] },
  ReadContentRequest: { digest: [1, 'string'], offset: [2, 'int64'], size: [3, 'int64'] },
  ReadContentResponse: { offset: [1, 'int64'], data: [2, 'bytes'] },
  BytesMessage: { data: [1, 'bytes'] },
} as const satisfies Readonly<Record<string, Fields>>;

export type MessageName = keyof typeof definitions;

const types = load();

function load(): Readonly<Record<string, protobuf.Type>> {
  const root = new protobuf.Root();
  for (const [name, fields] of Object.entries<Fields>(definitions)) {
    const type = new protobuf.Type(name);
    for (const [field, [id, kind, rule]] of Object.entries(fields)) {
      if (rule === 'string' || rule === 'bytes') type.add(new protobuf.MapField(field, id, 'string', rule));
      else type.add(new protobuf.Field(field, id, kind, rule));
    }
    root.add(type);
  }
  root.resolveAll();
  return Object.fromEntries(Object.keys(definitions).map((name) => [name, root.lookupType(name)]));
}

/** Bytes of a message; what is not said is left out. */
export function encode(name: MessageName, value: object): Buffer {
  const type = typeOf(name);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

/** A message as a plain object, with the zero values of what was left out; 64-bit numbers as text. `T` is what the definition above says. */
export function decode<T>(name: MessageName, bytes: Uint8Array): T {
  const type = typeOf(name);
  try {
    return type.toObject(type.decode(bytes), { defaults: true, longs: String, objects: true, arrays: true }) as T;
  } catch (error) {
    throw invalidArgument(`${bytes.length} bytes are no ${name}: ${messageOf(error)}`, { cause: error });
  }
}

function typeOf(name: MessageName): protobuf.Type {
  const type = types[name];
  if (type === undefined) throw new Error(`no message ${name}`);
  return type;
}

export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}
export function timestamp(ms: number): Timestamp {
  return { seconds: Math.floor(ms / 1000), nanos: Math.floor((ms % 1000) * 1e6) };
}
