import { join } from 'node:path';
import { notFound } from '../errors.ts';
import type { MountGrants } from '../mounts/index.ts';
import type { Activation, DriverKinds, HostContext, PluginModule } from '../plugin.ts';
import type { Ctx, Logger } from '../types/index.ts';
import { authzMethods } from './authz.ts';
import type { DockerDriver } from './drivers.ts';
import { FileState } from './file-state.ts';
import { Helpers } from './helpers.ts';
import type { Methods } from './http.ts';
import { ipamMethods } from './ipam.ts';
import { LogFront } from './log.ts';
import { NetworkFront } from './network.ts';
import { VolumeFront } from './volume.ts';
import type { DockerKind } from './wire.ts';

export interface FrontsOptions {
  readonly module: PluginModule;
  readonly drivers: readonly DockerDriver[];
  readonly host: HostContext;
  /** The plugin's folder: its own state and data are in it, and the fronts' and what is mounted beside them. */
  readonly root: string;
  readonly grants: MountGrants;
  readonly isExclusive: boolean;
  readonly log: Logger;
}

/** A plugin that was activated, behind Docker's methods. */
export interface Fronts extends AsyncDisposable {
  readonly methods: Methods;
}

/** Activates the plugin and takes over what another process of it left; a failure leaves nothing activated. */
export async function openFronts({ module, drivers, host, root, grants, isExclusive, log }: FrontsOptions): Promise<Fronts> {
  await using undo = new AsyncDisposableStack();
  const activation = await module.activate(host);
  undo.defer(async () => activation.deactivate?.());
  const state = FileState.open(join(root, 'front.json'));
  let calls = 0;
  const ctx = (signal: AbortSignal): Ctx => ({ signal, log, operationId: `docker-${(calls += 1)}` });
  let methods: Methods = {};
  for (const { kind, name } of drivers) {
    const make = { driver: driverOf(activation, kind, name), state, ctx, root, host, grants, isExclusive, log };
    const { methods: own, dispose } = await makers[kind](make as never);
    methods = { ...methods, ...own };
    if (dispose !== undefined) undo.defer(dispose);
  }
  const whole = undo.move();
  return { methods, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

interface Making<Kind extends DockerKind> {
  readonly driver: DriverKinds[Kind];
  readonly state: FileState;
  readonly ctx: (signal: AbortSignal) => Ctx;
  readonly root: string;
  readonly host: HostContext;
  readonly grants: MountGrants;
  readonly isExclusive: boolean;
  readonly log: Logger;
}
interface Made {
  readonly methods: Methods;
  readonly dispose?: () => Promise<void>;
}

const makers: { readonly [Kind in DockerKind]: (making: Making<Kind>) => Promise<Made> } = {
  async volume({ root, host, log, ...making }) {
    const front = new VolumeFront({ ...making, helpers: new Helpers({ root, log }), mountDir: join(root, 'volumes') });
    await front.recover(host.signal);
    return front;
  },
  async log({ root, ...making }) {
    const front = new LogFront({ ...making, logDir: join(root, 'logs') });
    await front.recover();
    return { methods: front.methods, dispose: () => front[Symbol.asyncDispose]() };
  },
  async network(making) {
    const front = new NetworkFront(making);
    await front.recover();
    return { methods: front.methods, dispose: async () => front[Symbol.dispose]() };
  },
  ipam: async (making) => ({ methods: ipamMethods(making) }),
  authz: async ({ driver, ctx }) => ({ methods: authzMethods(driver, ctx) }),
};

function driverOf(activation: Activation, kind: DockerKind, name: string): object {
  const driver = activation.drivers[kind]?.[name];
  if (driver === undefined) throw notFound(`the plugin has no ${kind} driver ${name}, which its manifest names`);
  return driver;
}
