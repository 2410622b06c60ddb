/** What a room is allowed to import, and why. A room may always import itself and node's own modules. */
export interface Room {
  /** Other rooms, by path. `a/*` allows every room below a. */
  readonly rooms: readonly string[];
  readonly because: string;
}

const sdk = 'sdk';
const world = ['core/drivers', 'core/execute', 'core/metadata', 'core/events', 'core/support', sdk];
const images = ['core/references', 'core/content', 'core/layers', 'core/plugin-host', ...world];
const engine = [
  'core/plugin-manifest',
  'core/plugin-install',
  'core/images',
  'core/networks',
  'core/volumes',
  'core/logs',
  'core/lifecycle',
  'core/builds',
  'core/system',
  'core/check',
  ...images,
];

/** The arrows of ARCHITECTURE.md. `core` itself is the engine: the files directly in core/. */
export const rooms: Readonly<Record<string, Room>> = {
  'core/support': { rooms: [], because: 'it is under everything: what knows one of our words belongs in the room of that word' },
  'core/references': { rooms: [sdk], because: 'a name is text: who looks it up is above' },
  'core/events': { rooms: ['core/support', sdk], because: 'events are broadcast: the bus knows no one who sends or listens' },
  'core/metadata': {
    rooms: ['core/support', sdk],
    because: 'the store keeps what it is given; rules about it live in the room that owns the noun',
  },
  'core/content': { rooms: ['core/metadata', 'core/support', sdk], because: 'a blob is bytes and a digest, whatever is in it' },
  'core/drivers': {
    rooms: ['core/events', 'core/metadata', 'core/support', sdk],
    because: 'a guard knows the contract of its kind, not who calls it',
  },
  'core/plugin-launch': {
    rooms: ['core/support', sdk],
    because: 'it starts and ends processes: what they serve, and when they are wanted, core/plugin-host knows',
  },
  'core/plugin-host': {
    rooms: [
      'core/plugin-manifest',
      'core/plugin-install',
      'core/plugin-launch',
      'core/drivers',
      'core/events',
      'core/metadata',
      'core/support',
      sdk,
    ],
    because: 'it hands out drivers; it asks nobody above for anything',
  },
  'core/plugin-manifest': { rooms: [sdk], because: 'it reads what was written: who fetches or runs a plugin is above' },
  'core/plugin-install': {
    rooms: ['core/plugin-manifest', 'core/references', 'core/content', 'core/drivers', 'core/metadata', 'core/support', sdk],
    because: 'it brings a plugin onto the disk and runs none of it; work on trees is handed in, because layers need plugins first',
  },
  'core/execute': {
    rooms: ['core/plugin-launch', 'core/drivers', 'core/metadata', 'core/events', 'core/support', sdk],
    because: 'it carries out and undoes what drivers describe, without knowing for which container',
  },
  'core/layers': {
    rooms: ['core/content', 'core/plugin-host', ...world],
    because: 'a layer is made of blobs and mounts; images are made of layers',
  },
  'core/images': {
    rooms: images,
    because: 'images are orchestration over layers and content; what needs a container belongs to core/lifecycle',
  },
  'core/networks': { rooms: ['core/plugin-host', ...world], because: 'records and attachments; a container is known here by its id only' },
  'core/volumes': {
    rooms: ['core/plugin-host', 'core/layers', ...world],
    because: 'records, attachments and copy-up; a container is known here by its id only',
  },
  'core/logs': { rooms: ['core/plugin-host', ...world], because: 'spools and drivers; a container is known here by its id only' },
  'core/lifecycle': {
    rooms: ['core/images', 'core/networks', 'core/volumes', 'core/logs', ...images],
    because: 'the one room that brings the others together for a container; the engine wires it',
  },
  'core/builds': {
    rooms: ['core/images', 'core/lifecycle', ...images],
    because: 'it makes the images of steps; steps are run by a builder, through the interface that everybody has',
  },
  'core/check': {
    rooms: ['core/content', 'core/images', 'core/layers', 'core/metadata', sdk],
    because: 'it holds the disk against the records: it asks the rooms that keep them, and nobody who runs anything',
  },
  'core/system': {
    rooms: engine.filter((room) => room !== 'core/system'),
    because: 'it only looks: it asks the rooms for counts and sizes',
  },
  core: { rooms: engine, because: 'the engine wires the rooms; commands and programs come after it' },
  'core/cli': { rooms: ['core/support', sdk], because: 'the command line is a client of the socket, never of the insides of the engine' },
  'core/bin': {
    rooms: ['core', 'core/cli', 'core/support', sdk],
    because: 'programs start the engine or the command line and do nothing else',
  },
  sdk: { rooms: [], because: 'the contract depends on nobody, so that a driver can be written with it alone' },
  'plugins/*': { rooms: [sdk], because: 'a plugin sees the SDK and itself, whoever wrote it' },
};

/** Packages (and node modules) that may be imported in some places only. Others are free for whoever needs them. */
export const packages: Readonly<Record<string, Room>> = {
  koffi: { rooms: ['sdk/linux'], because: 'foreign functions can crash the process: one room is watched for that' },
  awilix: { rooms: ['core'], because: 'wiring is readable in one place, core/engine.ts' },
  ws: { rooms: ['plugins/frontend/docker'], because: 'WebSockets are one way of attaching among others' },
  'prom-client': { rooms: ['plugins/frontend/metrics'], because: 'numbers for Prometheus are one front end among others' },
  fastify: { rooms: ['plugins/frontend/docker'], because: 'HTTP is one front end among others' },
  '@grpc/grpc-js': {
    rooms: ['sdk/rpc', 'plugins/frontend/docker'],
    because: "our wire has one place, and BuildKit's is a door of the front end; drivers and the core see plain objects",
  },
  protobufjs: {
    rooms: ['sdk/rpc', 'plugins/frontend/docker'],
    because: "our wire has one place, and BuildKit's is a door of the front end; drivers and the core see plain objects",
  },
  yaml: { rooms: ['core/lifecycle'], because: 'only descriptions of devices are written in it, by tools of their vendors' },
  commander: { rooms: ['core/cli', 'core/bin'], because: 'only the command line parses command lines' },
  'cli-table3': { rooms: ['core/cli'], because: 'only the command line draws' },
  'cli-progress': { rooms: ['core/cli'], because: 'only the command line draws' },
  'node:sqlite': { rooms: ['core/metadata'], because: 'one connection, one schema: other rooms ask core/metadata' },
  'fast-check': { rooms: [], because: 'it is for tests' },
  dockerode: { rooms: [], because: 'it is for tests' },
};

/** Where settings may be read from the environment. Elsewhere they come in as arguments, so that an embedding program decides. */
export const environmentReaders: readonly string[] = ['core/bin/', 'core/cli/', 'core/support/failpoint.ts'];
