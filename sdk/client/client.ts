import { type Address, parseAddress } from './address.ts';
import { Builds } from './builds.ts';
import { Containers } from './containers.ts';
import { Execs } from './execs.ts';
import { Http } from './http.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { Plugins } from './plugins.ts';
import { System } from './system.ts';
import { Volumes } from './volumes.ts';

export interface ConnectOptions {
  /** `unix:///path`, `tcp://host:port`, or an address already parsed. */
  readonly host: string | Address;
}

/** Everything a server of Docker's Engine API can be asked. Failures are GantryErrors with the server's own message. */
export interface Client {
  readonly address: Address;
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly builds: Builds;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly plugins: Plugins;
  readonly system: System;
}

/** Makes a client; connects at the first call, and speaks the newest version of the API that both sides know. */
export function connect({ host }: ConnectOptions): Client {
  const http = new Http(typeof host === 'string' ? parseAddress(host) : host);
  return {
    address: http.address,
    containers: new Containers(http),
    execs: new Execs(http),
    images: new Images(http),
    builds: new Builds(http),
    volumes: new Volumes(http),
    networks: new Networks(http),
    plugins: new Plugins(http),
    system: new System(http),
  };
}
