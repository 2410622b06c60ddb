import { type Database, pluginState } from './metadata/index.ts';
import type { NetworkDefaults } from './networks/index.ts';
import type { EngineOptions } from './options.ts';
import { randomId } from './support/index.ts';

/** What the engine is told that only drivers of one kind can use. */
export function kindSettings({ runtimes, defaultRuntime, insecureRegistries, registryMirrors, proxies, ...given }: EngineOptions) {
  const { storageOptions, addressPools, downloadAttempts } = given;
  return {
    graph: { ...storageOptions },
    ipam: { ...(addressPools && { defaultAddressPools: addressPools }) },
    transport: {
      ...(downloadAttempts !== undefined && { attempts: downloadAttempts }),
      ...(insecureRegistries && { insecureRegistries }),
      ...(registryMirrors && { registryMirrors }),
      ...(proxies && { proxies }),
    },
    exec: { ...(runtimes && { runtimes }), ...(defaultRuntime !== undefined && { defaultRuntime }) },
  };
}

/** What networks and containers on them are made with unless they say. */
export function networkDefaults({ dns, dnsSearch, dnsOptions, ...given }: EngineOptions): NetworkDefaults {
  const { publishAddress, bridgeCidr, mtu, interContainer, userlandProxy, networkOptions, hostGatewayIps } = given;
  return {
    ...(dns && { dns }),
    ...(dnsSearch && { dnsSearch }),
    ...(dnsOptions && { dnsOptions }),
    ...(publishAddress !== undefined && { publishAddress }),
    ...(bridgeCidr !== undefined && { bridgeCidr }),
    ...(mtu !== undefined && { mtu }),
    ...(interContainer !== undefined && { interContainer }),
    ...(userlandProxy !== undefined && { userlandProxy }),
    ...(networkOptions && { networkOptions }),
    ...(hostGatewayIps && { hostGatewayIps }),
  };
}

/** Made once for a data root. */
export function engineId(database: Database): string {
  const state = pluginState(database, 'engine');
  const known = state.get('id')?.value;
  if (known !== undefined) return known;
  const id = randomId();
  state.put([{ key: 'id', value: id }]);
  return id;
}
