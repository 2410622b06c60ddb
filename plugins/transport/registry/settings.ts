import { invalidArgument } from '@gantry/sdk';

export interface Proxies {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Who is asked without one, with commas. */
  readonly none?: string | undefined;
}

export interface RegistrySettings {
  readonly insecureRegistries: readonly string[];
  /** Whose images may have layers that lie elsewhere. */
  readonly foreignLayers: readonly string[];
  /** Addresses of mirrors by the host of the registry, the best first. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  readonly proxies: Proxies;
  readonly certificateFolders: readonly string[];
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly attempts: number;
  readonly retryDelayMs: number;
}

/** Settings as the user gave them, the rest as it is best for most. */
export function settingsOf(given: Readonly<Record<string, unknown>>): RegistrySettings {
  return {
    insecureRegistries: texts(given, 'insecureRegistries', []),
    foreignLayers: texts(given, 'foreignLayers', []),
    mirrors: mirrorsOf(given),
    proxies: proxiesOf(given['proxies']),
    certificateFolders: texts(given, 'certificateFolders', ['/etc/gantry/certs.d', '/etc/docker/certs.d']),
    answerTimeoutMs: number(given, 'answerTimeoutMs', 30_000),
    idleTimeoutMs: number(given, 'idleTimeoutMs', 60_000),
    attempts: number(given, 'attempts', 5),
    retryDelayMs: number(given, 'retryDelayMs', 1_000),
  };
}

function proxiesOf(given: unknown): Proxies {
  const { http, https, none } = Object(given ?? {}) as Readonly<Record<string, unknown>>;
  for (const text of [http, https, none]) {
    if (text !== undefined && typeof text !== 'string') throw invalidArgument('proxies must be text');
  }
  return { http, https, none } as Proxies;
}

function mirrorsOf(given: Readonly<Record<string, unknown>>): RegistrySettings['mirrors'] {
  const byHost = Object(given['mirrors'] ?? {}) as Readonly<Record<string, unknown>>;
  const mirrors = Object.fromEntries(Object.keys(byHost).map((host) => [host, texts(byHost, host, [])]));
  const ofHub = texts(given, 'registryMirrors', []);
  return ofHub.length === 0 ? mirrors : { ...mirrors, 'docker.io': [...ofHub, ...(mirrors['docker.io'] ?? [])] };
}

function texts(given: Readonly<Record<string, unknown>>, name: string, otherwise: readonly string[]): readonly string[] {
  const value = given[name] ?? otherwise;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) throw invalidArgument(`${name} must be a list of strings`);
  return value as readonly string[];
}

function number(given: Readonly<Record<string, unknown>>, name: string, otherwise: number): number {
  const value = given[name] ?? otherwise;
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw invalidArgument(`${name} must be a whole number`);
  return Number(value);
}
