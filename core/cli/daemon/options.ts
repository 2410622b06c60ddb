import { invalidArgument } from '@gantry/sdk/errors';
import type { DaemonOptions } from '../daemon-options.ts';
import { parseDuration } from '../parse/duration.ts';
import { containerDefaultsOf } from './container-defaults.ts';
import { directives } from './directives.ts';
import { missingRemapUser } from './remap-user.ts';
import { listOf, nonEmpty, numberOf, objectsOf, optional, type Settings, splitPair, textOf, textsOf, truthOf } from './settings.ts';
import { refuseOpenPorts } from './values.ts';

/** Settings by directive, which are checked already, as one typed object with the defaults in place. */
export function toDaemonOptions(settings: ReadonlyMap<string, unknown>, configFile: string): DaemonOptions {
  const execRoot = textOf(settings, 'exec-root') ?? '/run/gantry';
  const hosts = nonEmpty(listOf(settings, 'hosts')) ?? [`unix://${execRoot}/gantry.sock`];
  const metrics = textOf(settings, 'metrics-addr');
  const tls = tlsOf(settings);
  if (tls === undefined) refuseOpenPorts(hosts);
  const isDebug = settings.get('debug') === true;
  return {
    configFile,
    hosts: metrics === undefined ? hosts : [...hosts, `metrics://${metrics}`],
    group: textOf(settings, 'group') ?? 'gantry',
    debug: isDebug,
    logLevel: isDebug ? 'debug' : levelOf(textOf(settings, 'log-level')),
    shutdownTimeoutSeconds: numberOf(settings, 'shutdown-timeout') ?? 15,
    dataRoot: textOf(settings, 'data-root') ?? '/var/lib/gantry',
    execRoot,
    pluginDirs: listOf(settings, 'plugin-dirs'),
    pluginSettings: objectsOf(settings, 'plugins'),
    pluginPlacement: placementsOf(listOf(settings, 'plugin-placement')),
    authorizationPlugins: listOf(settings, 'authorization-plugins'),
    storageOptions: Object.fromEntries(listOf(settings, 'storage-opts').map(splitPair)),
    logOptions: textsOf(settings, 'log-opts'),
    runtimes: runtimesOf(settings),
    labels: listOf(settings, 'labels'),
    liveRestore: settings.get('live-restore') === true,
    containerDefaults: containerDefaultsOf(settings),
    networkOptions: networkOptionsOf(settings),
    hostGatewayIps: [...listOf(settings, 'host-gateway-ips'), ...optionalList(textOf(settings, 'host-gateway-ip'))],
    dns: listOf(settings, 'dns'),
    dnsSearch: listOf(settings, 'dns-search'),
    dnsOptions: listOf(settings, 'dns-opts'),
    insecureRegistries: listOf(settings, 'insecure-registries'),
    registryMirrors: listOf(settings, 'registry-mirrors'),
    proxies: proxiesOf(settings),
    notes: ignoredNotes(settings),
    ...optional('tls', tls),
    ...optional('pidfile', textOf(settings, 'pidfile')),
    ...optional('idleExitSeconds', numberOf(settings, 'idle-exit')),
    ...optional('storageDriver', textOf(settings, 'storage-driver')),
    ...optional('imageRetention', retentionOf(settings)),
    ...optional('logDriver', textOf(settings, 'log-driver')),
    ...optional('defaultRuntime', textOf(settings, 'default-runtime')),
    ...optional('downloadAttempts', numberOf(settings, 'max-download-attempts')),
    ...optional('remapUser', textOf(settings, 'userns-remap') === 'default' ? missingRemapUser() : undefined),
    ...optional('addressPools', poolsOf(settings)),
    ...optional('publishAddress', textOf(settings, 'ip')),
    ...optional('bridgeCidr', textOf(settings, 'bip')),
    ...optional('mtu', numberOf(settings, 'mtu')),
    ...optional('interContainer', truthOf(settings, 'icc')),
    ...optional('userlandProxy', truthOf(settings, 'userland-proxy')),
  };
}

/** All three files, or no TLS. */
function tlsOf(settings: Settings): DaemonOptions['tls'] {
  if (settings.get('tlsverify') !== true) return undefined;
  const fileOf = (key: string): string => {
    const file = textOf(settings, key);
    if (file === undefined) throw invalidArgument(`tlsverify needs ${key}`, { hint: 'give --tlscacert, --tlscert and --tlskey with it' });
    return file;
  };
  return { caFile: fileOf('tlscacert'), certFile: fileOf('tlscert'), keyFile: fileOf('tlskey') };
}

function retentionOf(settings: Settings): DaemonOptions['imageRetention'] {
  const after = textOf(settings, 'collect-unused-after');
  const aboveDiskPercent = numberOf(settings, 'collect-above');
  if (after === undefined && aboveDiskPercent === undefined) return undefined;
  return {
    ...optional('unusedForMs', after === undefined ? undefined : parseDuration(after) / 1e6),
    ...optional('aboveDiskPercent', aboveDiskPercent),
  };
}

/** As flags and keys of their own, or all in "proxies", as dockerd has them in daemon.json. */
function proxiesOf(settings: Settings): DaemonOptions['proxies'] {
  const all = textsOf(settings, 'proxies');
  const unknown = Object.keys(all).find((key) => !['http-proxy', 'https-proxy', 'no-proxy'].includes(key));
  if (unknown !== undefined) throw invalidArgument(`proxies: ${JSON.stringify(unknown)} is not known: http-proxy, https-proxy or no-proxy`);
  return {
    ...optional('http', textOf(settings, 'http-proxy') ?? all['http-proxy']),
    ...optional('https', textOf(settings, 'https-proxy') ?? all['https-proxy']),
    ...optional('none', textOf(settings, 'no-proxy') ?? all['no-proxy']),
  };
}

function runtimesOf(settings: Settings): DaemonOptions['runtimes'] {
  const entries = Object.entries(objectsOf(settings, 'runtimes')).map(([name, { path, runtimeArgs }]) => {
    if (typeof path !== 'string' || path === '') throw invalidArgument(`runtimes: ${JSON.stringify(name)} needs a path`);
    return [name, { path, ...(Array.isArray(runtimeArgs) ? { runtimeArgs: runtimeArgs.map(String) } : {}) }] as const;
  });
  return Object.fromEntries(entries);
}

function levelOf(level: string | undefined): DaemonOptions['logLevel'] {
  return level === 'debug' || level === 'warn' || level === 'error' || level === 'fatal' ? level : 'info';
}

function ignoredNotes(settings: Settings): readonly string[] {
  return directives.flatMap(({ key, ignored }) => (ignored !== undefined && settings.has(key) ? [`${key} has no effect: ${ignored}`] : []));
}

const places = ['in-process', 'worker', 'process'] as const;

function placementsOf(pairs: readonly string[]): DaemonOptions['pluginPlacement'] {
  return Object.fromEntries(
    pairs.map(splitPair).map(([name, text]) => {
      const place = places.find((known) => known === text);
      if (place === undefined) throw invalidArgument(`plugin-placement ${name}=${text}: the place is one of ${places.join(', ')}`);
      return [name, place];
    }),
  );
}

function networkOptionsOf(settings: Settings): DaemonOptions['networkOptions'] {
  const entries = Object.entries(objectsOf(settings, 'default-network-opts')).map(([driver, options]) => {
    const wrong = Object.entries(options).find(([, option]) => typeof option !== 'string');
    if (wrong !== undefined) throw invalidArgument(`default-network-opts: ${JSON.stringify(wrong[0])} of ${driver} must be text`);
    return [driver, options as Readonly<Record<string, string>>] as const;
  });
  return Object.fromEntries(entries);
}

function poolsOf(settings: Settings): DaemonOptions['addressPools'] {
  const pools = settings.get('default-address-pools');
  return Array.isArray(pools) && pools.length > 0 ? (pools as DaemonOptions['addressPools']) : undefined;
}

const optionalList = (text: string | undefined): readonly string[] => (text === undefined ? [] : [text]);
