import type { RegistryAuth } from '@gantry/sdk/transport';
import { type DockerConfig, readConfig, type StoredAuth, writeConfig } from './config-file.ts';
import { CredentialHelper } from './helper.ts';
import { hostOf } from './server.ts';

/** Who one is at registries, as Docker's clients keep it: in config.json, or with the credential helper that it names. */
export class Logins {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined: nobody logged in there. */
  get(server: string): RegistryAuth | undefined {
    const config = readConfig(this.#path);
    const found = helperOf(config, server)?.get(server) ?? fromFile(config, server);
    return found === undefined ? undefined : { ...found, serverAddress: server };
  }

  /** By server; what a helper cannot tell is left out. */
  all(): Readonly<Record<string, RegistryAuth>> {
    const config = readConfig(this.#path);
    const servers = [...new Set([...Object.keys(config.auths ?? {}), ...Object.keys(config.credHelpers ?? {})])];
    return Object.fromEntries(
      servers.flatMap((server) => {
        try {
          const auth = this.get(server);
          return auth === undefined ? [] : [[server, auth] as const];
        } catch {
          return [];
        }
      }),
    );
  }

  /** A second login takes the place of the first. Answers whether the secret now lies readable in the file. */
  put(server: string, auth: RegistryAuth): { readonly isPlain: boolean } {
    const config = readConfig(this.#path);
    const helper = helperOf(config, server);
    helper?.store(server, auth);
    // With a helper, an empty entry says that there is a login.
    this.#write(config, { ...without(config, server), [server]: helper === undefined ? toFile(auth) : {} });
    return { isPlain: helper === undefined };
  }

  /** False: there was none. */
  remove(server: string): boolean {
    const config = readConfig(this.#path);
    const helper = helperOf(config, server);
    const auths = without(config, server);
    const wasThere = Object.keys(auths).length < Object.keys(config.auths ?? {}).length || helper?.get(server) !== undefined;
    if (!wasThere) return false;
    helper?.erase(server);
    this.#write(config, auths);
    return true;
  }

  #write(config: DockerConfig, auths: Readonly<Record<string, StoredAuth>>): void {
    writeConfig(this.#path, { ...config, auths });
  }
}

/** The helper of one server goes before the one of all. */
function helperOf({ credHelpers = {}, credsStore }: DockerConfig, server: string): CredentialHelper | undefined {
  const name = Object.hasOwn(credHelpers, server) ? credHelpers[server] : credsStore;
  return name === undefined || name === '' ? undefined : new CredentialHelper(name);
}

function fromFile({ auths = {} }: DockerConfig, server: string): RegistryAuth | undefined {
  const key = Object.hasOwn(auths, server) ? server : Object.keys(auths).find((each) => hostOf(each) === hostOf(server));
  const stored = key === undefined ? undefined : auths[key];
  if (stored === undefined) return undefined;
  const { auth = '', identitytoken, registrytoken } = stored;
  const [, username = stored.username, password = stored.password] = /^([^:]*):(.*)$/s.exec(Buffer.from(auth, 'base64').toString()) ?? [];
  const found = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.replace(/\0+$/, '') }),
    ...(identitytoken === undefined || identitytoken === '' ? {} : { identityToken: identitytoken }),
    ...(registrytoken === undefined || registrytoken === '' ? {} : { registryToken: registrytoken }),
  };
  return Object.keys(found).length === 0 ? undefined : found;
}

function toFile({ username = '', password = '', identityToken }: RegistryAuth): StoredAuth {
  const auth = Buffer.from(`${username}:${identityToken === undefined ? password : ''}`).toString('base64');
  return { auth, ...(identityToken === undefined ? {} : { identitytoken: identityToken }) };
}

function without({ auths = {} }: DockerConfig, server: string): Readonly<Record<string, StoredAuth>> {
  return Object.fromEntries(Object.entries(auths).filter(([each]) => hostOf(each) !== hostOf(server)));
}
