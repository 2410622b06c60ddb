import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig, Healthcheck } from '@gantry/sdk/engine';
import { parseSignal } from './signal.ts';

/** Checks what the image and the user together ask of the process; `invalid_argument` names the first bad field in Docker's words. */
export function checkConfig(config: ContainerConfig): void {
  checkName('hostname', config.Hostname ?? '', 63);
  checkName('domainname', config.Domainname ?? '', 64);
  for (const variable of config.Env ?? []) checkVariable(variable);
  checkWorkingDirectory(config.WorkingDir ?? '');
  checkUser(config.User ?? '');
  for (const port of Object.keys(config.ExposedPorts ?? {})) checkExposedPort(port);
  for (const argument of [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]) refuseNul(argument, 'command argument');
  if ((config.StopSignal ?? '') !== '') parseSignal(config.StopSignal ?? '');
  if (config.Healthcheck) checkHealthcheck(config.Healthcheck);
}

/** What is written into files of the container line by line, and told to the kernel, which takes 64 bytes; sethostname(2). */
function checkName(what: 'hostname' | 'domainname', name: string, mostBytes: number): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > mostBytes) throw invalidArgument(`${what} "${name}" is ${bytes} bytes long; at most ${mostBytes} are allowed`);
  if (/[\0\n\r]/.test(name)) throw invalidArgument(`${what} ${JSON.stringify(name)} has a control character`);
}

/** An environment variable: NAME or NAME=value. */
export function checkVariable(variable: string): void {
  if (variable === '' || variable.startsWith('=')) throw invalidArgument(`invalid environment variable: ${variable}`);
  refuseNul(variable, 'environment variable');
}

export function checkWorkingDirectory(path: string): void {
  if (path !== '' && !path.startsWith('/'))
    throw invalidArgument(`the working directory '${path}' is invalid, it needs to be an absolute path`);
  refuseNul(path, 'working directory');
}

/**
 * USER[:GROUP]. What looks like a number must be one from 0 to 2^31-1: it is never looked up as a name, and never wraps to 0
 * (CVE-2024-40635, CVE-2026-46680).
 */
export function checkUser(user: string): void {
  const [name = '', group, ...rest] = user.split(':');
  if (rest.length > 0 || /[\0\n]/.test(user)) throw invalidArgument(`invalid user: ${JSON.stringify(user)}`);
  for (const part of [name, group ?? '']) {
    const looksNumeric = /^\s*[+-]?\d/.test(part) && /^[\s+\-\dxXeE.a-fA-F_]*$/.test(part);
    if (looksNumeric && !(/^\d+$/.test(part) && Number(part) < 2 ** 31)) {
      throw invalidArgument(`invalid user: ${JSON.stringify(user)}: uids and gids must be in range 0-2147483647`);
    }
  }
}

function checkExposedPort(port: string): void {
  const [, range = '', protocol = 'tcp'] = /^([^/]*)(?:\/(.*))?$/s.exec(port) ?? [];
  const [first = '', last = first] = range.split('-');
  if (![first, last].every((number) => /^\d{1,5}$/.test(number))) throw invalidArgument(`invalid port '${range}': invalid syntax`);
  if ([first, last].some((number) => Number(number) > 65_535)) throw invalidArgument(`invalid port '${range}': value out of range`);
  if (Number(first) > Number(last)) throw invalidArgument(`invalid port '${range}': invalid syntax`);
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase()))
    throw invalidArgument(`invalid port '${port}': invalid protocol: ${protocol}`);
}

const millisecondNs = 1e6;

function checkHealthcheck(healthcheck: Healthcheck): void {
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = healthcheck[field] ?? 0;
    if (value !== 0 && value < millisecondNs) throw invalidArgument(`${field} in Healthcheck cannot be less than 1ms`);
  }
  if ((healthcheck.Retries ?? 0) < 0) throw invalidArgument('Retries in Healthcheck cannot be negative');
  const [kind] = healthcheck.Test ?? [];
  if (kind !== undefined && !['', 'NONE', 'CMD', 'CMD-SHELL'].includes(kind))
    throw invalidArgument(`Unknown type for healthcheck: ${kind}`);
}

function refuseNul(text: string, what: string): void {
  if (text.includes('\0')) throw invalidArgument(`${what} ${JSON.stringify(text)} has a NUL byte`);
}
