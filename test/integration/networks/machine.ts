import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { notFound, type Logger } from '@gantry/sdk';
import { boundSocketIn, createNetns, openNetns, removeNetns, Rtnetlink } from '@gantry/sdk/linux';
import type { EndpointConfig, HostConfig } from '@gantry/sdk/engine';
import type { Drivers } from '../../../core/drivers/index.ts';
import { guard, methodsOf } from '../../../core/drivers/index.ts';
import { EventBus } from '../../../core/events/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { type NetworkDefaults, NetworksRoom, type NetworkedContainer, type NetworkUsers } from '../../../core/networks/index.ts';
import { randomId } from '../../../core/support/index.ts';
import cni from '../../../plugins/network/cni/main.ts';
import bridge from '../../../plugins/network/bridge/main.ts';
import ipvlan from '../../../plugins/network/ipvlan/main.ts';
import macvlan from '../../../plugins/network/macvlan/main.ts';
import host from '../../../plugins/network/host/main.ts';
import none from '../../../plugins/network/none/main.ts';
import { hostContext } from '../../support/clients/host-context.ts';
import ipam from '../../../plugins/ipam/default/main.ts';

/** A networks room on this (private) machine, with containers that are a network namespace and nothing else. */
export class Machine implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'gantry-networks-'));
  readonly execRoot = join(this.folder, 'exec');
  readonly logged: string[] = [];
  readonly events = new EventBus();
  readonly containers = new Map<string, Container>();
  #database = new Database(join(this.folder, 'metadata.db'));
  #defaults: NetworkDefaults;
  room: NetworksRoom;

  constructor(defaults: NetworkDefaults = {}) {
    this.#defaults = defaults;
    try {
      this.room = this.#open();
    } catch (error) {
      this.#database[Symbol.dispose]();
      throw error;
    }
  }

  static async start(defaults: NetworkDefaults = {}): Promise<Machine> {
    const machine = new Machine(defaults);
    await machine.room.start();
    return machine;
  }

  /** The engine dies and another one opens the same books; the kernel keeps what it has. */
  async restart(defaults: NetworkDefaults = this.#defaults): Promise<void> {
    this.#defaults = defaults;
    await this.room[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    this.#database = new Database(join(this.folder, 'metadata.db'));
    this.room = this.#open();
    await this.room.start();
  }

  async run(name: string, wishes: ContainerWishes = {}): Promise<Container> {
    const container = new Container(this, name, wishes);
    this.containers.set(container.id, container);
    try {
      this.room.validate(container);
      await container.start();
    } catch (error) {
      this.containers.delete(container.id);
      throw error;
    }
    return container;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.containers.values()) await container.stop();
    for (const { name } of this.room.list({ filters: { type: ['custom'] } })) await this.room.remove(name);
    await this.room[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    await removeDefaultBridge();
    rmSync(this.folder, { recursive: true });
  }

  #open(): NetworksRoom {
    const log = this.#logger();
    return new NetworksRoom({
      database: this.#database,
      drivers: realDrivers(this.#database, this.folder, log),
      events: this.events,
      execRoot: this.execRoot,
      log,
      users: () => this.#users(),
      defaults: this.#defaults,
    });
  }

  #users(): NetworkUsers {
    const all = () => [...this.containers.values()];
    return {
      find: (wanted) => {
        const found = all().find(({ id, name }) => id === wanted || name === wanted);
        if (found === undefined) throw notFound(`No such container: ${wanted}`);
        return found;
      },
      setNetworks: async (id, networks) => {
        const container = this.containers.get(id);
        if (container !== undefined) container.networks = networks;
      },
      usersOf: (networkId, networkName) =>
        all().filter(({ networks, hostConfig }) =>
          [...Object.keys(networks), hostConfig.NetworkMode].some((one) => one === networkId || one === networkName),
        ),
    };
  }

  #logger(): Logger {
    const keep = (level: string) => (fields: object | string, message?: string) => {
      this.logged.push(`${level}: ${typeof fields === 'string' ? fields : `${message} ${JSON.stringify(fields)}`}`);
    };
    const log: Logger = { debug: () => undefined, info: keep('info'), warn: keep('warn'), error: keep('error'), child: () => log };
    return log;
  }
}

export interface ContainerWishes {
  readonly hostConfig?: HostConfig;
  readonly config?: NetworkedContainer['config'];
  readonly networks?: Readonly<Record<string, EndpointConfig>>;
}

export class Container implements NetworkedContainer {
  readonly id = randomId();
  readonly config: NetworkedContainer['config'];
  hostConfig: HostConfig;
  networks: Readonly<Record<string, EndpointConfig>>;
  name: string;
  running = false;
  readonly resolvConfPath: string;
  sandbox: Awaited<ReturnType<NetworksRoom['setup']>> | undefined;
  readonly #machine: Machine;
  readonly #servers: { close(): unknown }[] = [];

  constructor(machine: Machine, name: string, { hostConfig = {}, config = {}, networks = {} }: ContainerWishes) {
    this.#machine = machine;
    this.resolvConfPath = join(machine.folder, `${this.id}.resolv.conf`);
    this.name = name;
    this.config = config;
    this.hostConfig = hostConfig;
    this.networks = networks;
  }

  get address(): string {
    return this.sandbox?.endpoints[0]?.ipAddress ?? assert.fail('no address');
  }

  /** Other published ports from now on. */
  async publish(PortBindings: HostConfig['PortBindings']): Promise<boolean> {
    const hostConfig = { ...this.hostConfig, PortBindings: PortBindings ?? null };
    const isPublished = await this.#machine.room.publish({
      id: this.id,
      name: this.name,
      config: this.config,
      networks: this.networks,
      hostConfig,
    });
    this.hostConfig = hostConfig;
    return isPublished;
  }

  get netns(): string {
    return this.sandbox?.netnsPath ?? assert.fail('no namespace');
  }

  async start(): Promise<void> {
    this.sandbox = await this.#machine.room.setup(this);
    writeFileSync(this.resolvConfPath, this.sandbox.resolvConf);
    this.running = true;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) server.close();
    this.running = false;
    await this.#machine.room.teardown(this.id);
  }

  /** A TCP server inside that says who it is. */
  async serve(port: number, ip = '0.0.0.0'): Promise<void> {
    this.#servers.push(await greet(this.netns, { port, ip, greeting: this.name }));
  }

  /** A UDP server inside that sends back what it gets, with its name. */
  async echo(port: number): Promise<void> {
    const netns = openNetns(this.netns);
    const socket = createSocket('udp4');
    const fd = boundSocketIn(netns, { kind: 'udp', ip: '0.0.0.0', port });
    closeSync(netns);
    await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
    socket.on('message', (message, { port: to, address }) => socket.send(`${this.name}:${message.toString()}`, to, address));
    this.#servers.push(socket);
  }

  /** A TCP server inside that sends back what it gets. */
  async pipe(port: number): Promise<void> {
    const netns = openNetns(this.netns);
    const fd = boundSocketIn(netns, { kind: 'tcp', ip: '0.0.0.0', port });
    closeSync(netns);
    const open = new Set<Socket>();
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      open.add(socket.on('error', () => undefined));
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    this.#servers.push({ close: () => [...open].map((socket) => socket.destroy()) && server.close() });
  }

  run(...command: string[]): Promise<string> {
    return run(this.netns, ...command);
  }

  /** What the server there says; empty when it cannot be reached. */
  reach(address: string, port: number): Promise<string> {
    return reach(this.netns, address, port);
  }
}

/** Another machine on the same wire as this one, 10.99.0.2 and fd99::2; this one is 10.99.0.1 and fd99::1. */
export class Neighbour implements Disposable {
  readonly netns = '/run/neighbour';
  readonly #inside: Rtnetlink;

  constructor() {
    createNetns(this.netns);
    const netns = openNetns(this.netns);
    using here = Rtnetlink.open();
    this.#inside = Rtnetlink.open(netns);
    const link = here.linkAdd('wire', { kind: 'veth', peer: { name: 'eth0', netnsFd: netns } }, { up: true });
    closeSync(netns);
    for (const address of ['10.99.0.1/24', 'fd99::1/64']) here.addressAdd({ link, address, isWithoutDad: true });
    const there = this.#inside.linkGet('eth0')?.index ?? assert.fail('no eth0');
    this.#inside.linkSet(1, { up: true });
    this.#inside.linkSet(there, { up: true });
    for (const address of ['10.99.0.2/24', 'fd99::2/64']) this.#inside.addressAdd({ link: there, address, isWithoutDad: true });
  }

  /** Resolves when the kernel has found out that nobody else has the wire's own address (RFC 4862, 5.4): its routes come then. */
  async settled(): Promise<void> {
    const isTentative = 0x40;
    const has = (): boolean =>
      readFileSync('/proc/net/if_inet6', 'utf8')
        .split('\n')
        .map((line) => line.split(/\s+/))
        .some(
          ([address = '', , , , flags = '', name]) =>
            name === 'wire' && address.startsWith('fe80') && (Number(`0x${flags}`) & isTentative) === 0,
        );
    for (const deadline = performance.now() + 20_000; !has(); await sleep(20))
      if (performance.now() > deadline) assert.fail('the wire has no address of its own');
  }

  /** As if its administrator wanted to reach the containers directly. */
  route(destination: string): void {
    this.#inside.routeAdd({ destination, gateway: destination.includes(':') ? 'fd99::1' : '10.99.0.1' }, { replace: true });
  }

  reach(address: string, port: number): Promise<string> {
    return reach(this.netns, address, port);
  }

  /** Sends a datagram with "hello" and says what comes back, and when nothing does until then, nothing. */
  ask(address: string, port: number, { withinMs = 20_000 }: { readonly withinMs?: number } = {}): Promise<string> {
    const script = `const s=require('dgram').createSocket('udp4');s.on('message',m=>{process.stdout.write(m);s.close()});s.send('hello',${port},'${address}');setTimeout(()=>process.exit(),${withinMs}).unref()`;
    return run(this.netns, process.execPath, '-e', script);
  }

  [Symbol.dispose](): void {
    this.#inside[Symbol.dispose]();
    using here = Rtnetlink.open();
    here.linkDelete('wire');
    removeNetns(this.netns);
  }
}

/** Why links of a kind cannot be tested here: many kernels are built without some. */
export function whyNoLinks(kind: 'dummy' | 'ipvlan' | 'vlan'): string | false {
  const parts = kind === 'dummy' ? [] : ['link', 'probe0'];
  spawnSync('ip', ['link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1']);
  const { stderr } = spawnSync('ip', ['link', 'add', ...parts, 'name', 'probe2', 'type', kind, ...(kind === 'vlan' ? ['id', '5'] : [])], {
    encoding: 'utf8',
  });
  for (const name of ['probe2', 'probe0']) spawnSync('ip', ['link', 'delete', name]);
  return stderr.includes('Unknown device type') ? `this kernel makes no ${kind} links` : false;
}

/**
 * Asks a greeting server from inside a namespace (empty: from here). The kernel answers whoever connects at once, or nobody does, so 700 ms are enough, seen after what came
 * meanwhile; the greeting comes from a process, which on a busy machine takes its time.
 */
export async function reach(netns: string, address: string, port: number): Promise<string> {
  const script = `const s=require('net').connect({host:${JSON.stringify(address)},port:${port}});let t='';
s.setTimeout(700,()=>setImmediate(()=>s.connecting&&s.destroy()));setTimeout(()=>s.destroy(),20_000).unref();
s.on('data',d=>t+=d);s.on('error',()=>{});s.on('close',()=>{process.stdout.write(t)})`;
  return run(netns, process.execPath, '-e', script);
}

export async function run(netns: string, ...command: string[]): Promise<string> {
  const [program = '', ...given] = netns === '' ? command : ['nsenter', `--net=${netns}`, ...command];
  const child = spawn(program, given, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return output;
}

export async function greet(
  netnsPath: string,
  { port, ip, greeting }: { readonly port: number; readonly ip: string; readonly greeting: string },
): Promise<Server> {
  const netns = netnsPath === '' ? undefined : openNetns(netnsPath);
  const fd = boundSocketIn(netns, { kind: 'tcp', ip, port });
  if (netns !== undefined) closeSync(netns);
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${greeting} to ${socket.remoteAddress}`);
  });
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  return server;
}

/** The one thing that stays by design; everything else is the leak guard's affair. */
async function removeDefaultBridge(): Promise<void> {
  using here = Rtnetlink.open();
  here.linkDelete('gantry0');
  await run('', 'nft', 'delete', 'table', 'inet', 'gantry');
}

function realDrivers(database: Database, folder: string, log: Logger): Drivers {
  const modules = {
    'network/bridge': bridge,
    'network/vxlan': bridge,
    'network/macvlan': macvlan,
    'network/ipvlan': ipvlan,
    'network/cni': cni,
    'network/host': host,
    'network/null': none,
    'ipam/default': ipam,
  };
  const started = new Map<string, unknown>();
  const drivers: Drivers = {
    get: async (kind, name) => {
      const key = `${kind}/${name}`;
      const module = Object.entries(modules).find(([known]) => known === key)?.[1];
      if (module === undefined) throw notFound(`no ${kind} driver ${name}`);
      if (!started.has(key)) {
        const { drivers: given } = await module.activate(hostContext({ name: key, dataDir: folder, database, log }));
        const naive = given[kind]?.[name];
        assert.ok(naive, `${key} is not what the plugin provides`);
        started.set(key, guard(naive, methodsOf[kind], { label: key }));
      }
      return started.get(key) as never;
    },
    has: (kind, name) => `${kind}/${name}` in modules,
    names: () => [],
    preferred: async () => 'default',
    grants: (kind, name) => ({
      plugin: `${kind}/${name}`,
      dataDir: folder,
      mountTypes: [],
      hostPaths: [],
      devices: [],
      nftables: false,
      hostLinks: true,
      ...(name === 'cni' ? { cni: cniFolders } : {}),
    }),
  };
  return drivers;
}

/** Where Debian has CNI plugins, and where tests put theirs. */
export const cniFolders: readonly string[] = ['/usr/lib/cni', '/run/gantry-test-cni'];

export function linkNames(): readonly string[] {
  using here = Rtnetlink.open();
  return here.linkList().map(({ name }) => name);
}

export function makeFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
