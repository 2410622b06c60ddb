/** Which engine is meant, and who said so. */
export interface HostChoice {
  readonly address: string;
  /** Nobody named a host: the engine on this machine, started when it does not run. */
  readonly isDefault: boolean;
}

export const defaultSocket = '/run/gantry/gantry.sock';

/** The flag wins over GANTRY_HOST, which wins over DOCKER_HOST. */
export function chooseHost(flag: string | undefined, environment: Readonly<Record<string, string | undefined>>): HostChoice {
  const address = [flag, environment['GANTRY_HOST'], environment['DOCKER_HOST']].find((host) => host !== undefined && host !== '');
  return { address: address ?? `unix://${defaultSocket}`, isDefault: address === undefined };
}

/** gantryd's exit code when another one has its data root or pid file: EX_TEMPFAIL of sysexits.h. */
export const takenStatus = 75;
