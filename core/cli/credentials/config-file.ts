import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { publishFileSync } from '../../support/index.ts';

export interface StoredAuth {
  /** base64 of "user:password" */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  /** What else Docker's clients keep there stays as it is. */
  readonly [key: string]: unknown;
}

/** The file that Docker's clients keep their logins in: one login serves them and us. */
export function configPath(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
}

/** Empty when there is none. `invalid_argument` when it cannot be read: half of it must not be written back. */
export function readConfig(path: string): DockerConfig {
  if (!existsSync(path)) return {};
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8').trim() || '{}');
  } catch (error) {
    if (error instanceof SyntaxError) throw invalidArgument(`${path} is not JSON: ${error.message}`, { hint: 'mend it, or move it away' });
    throw fromErrno(error, 'cannot read the logins');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw invalidArgument(`${path} is not a JSON object`);
  for (const key of ['auths', 'credHelpers']) {
    const part: unknown = Reflect.get(document, key);
    if (part !== undefined && (typeof part !== 'object' || part === null)) throw invalidArgument(`${path}: ${key} is not an object`);
  }
  return document as DockerConfig;
}

/** Whole or not at all, readable by its owner alone; a link to it stays a link. */
export function writeConfig(path: string, config: DockerConfig): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    publishFileSync(existsSync(path) ? realpathSync(path) : path, `${JSON.stringify(config, undefined, '\t')}\n`, { mode: 0o600 });
  } catch (error) {
    throw fromErrno(error, 'cannot keep the login');
  }
}
